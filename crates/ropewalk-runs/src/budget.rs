//! What model calls may use, and what they used: of a run, of its thread, of the key that made it.

use std::time::Duration;

use ropewalk_store::{Batch, Scope, StoreError};
use ropewalk_types::{Budget, RunIncompleteReason, ThreadId};
use tokio::time::Instant;

use crate::{machine::RunState, record};

/// Whose budget it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Run,
    Thread,
    Key,
}

/// What model calls used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) tokens: u64,
    pub(crate) calls: u64,
    pub(crate) ms: u64,
}

impl Spent {
    /// What the run used itself.
    pub(crate) fn by_run(state: &RunState) -> Self {
        Self { tokens: state.usage.total_tokens, calls: state.model_calls, ms: state.model_ms }
    }

    /// What the counters below `prefix` say.
    pub(crate) async fn counted(scope: &Scope, prefix: &str) -> Result<Self, StoreError> {
        let counters = scope.counters(prefix).await?;
        let counter = |name: &str| {
            let counter = counters.get(&format!("{prefix}{name}")).copied().unwrap_or_default();
            u64::try_from(counter).unwrap_or_default()
        };
        Ok(Self { tokens: counter("tokens"), calls: counter("calls"), ms: counter("ms") })
    }

    /// Adds it to the counters below `prefix`.
    pub(crate) fn count(self, batch: Batch, prefix: &str) -> Batch {
        [("tokens", self.tokens), ("calls", self.calls), ("ms", self.ms)]
            .into_iter()
            .filter(|(_, used)| *used > 0)
            .fold(batch, |batch, (name, used)| {
                batch.add(format!("{prefix}{name}"), i64::try_from(used).unwrap_or(i64::MAX))
            })
    }
}

/// Where it is counted what the runs of a thread used.
pub(crate) fn of_thread(thread: &ThreadId) -> String {
    format!("{}spent/", record::thread_counters(thread))
}

/// Where it is counted what the runs made with a key used.
pub(crate) fn of_key(key: &str) -> String {
    format!("key/{key}/spent/")
}

/// What the next model call may use: the least that any budget has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) tokens: Option<(u64, RunIncompleteReason)>,
    pub(crate) time: Option<(Duration, RunIncompleteReason)>,
}

impl Allowance {
    /// Takes in one more budget, of which so much is spent.
    ///
    /// # Errors
    ///
    /// Why there is to be no call: nothing is left of this budget.
    pub(crate) fn narrow(
        &mut self,
        owner: Owner,
        budget: &Budget,
        spent: Spent,
    ) -> Result<(), RunIncompleteReason> {
        use RunIncompleteReason as Reason;
        let [tokens, calls, time] = match owner {
            Owner::Run => [Reason::MaxTotalTokens, Reason::MaxModelCalls, Reason::MaxSeconds],
            Owner::Thread => {
                [Reason::ThreadMaxTotalTokens, Reason::ThreadMaxModelCalls, Reason::ThreadMaxSeconds]
            }
            Owner::Key => [Reason::KeyMaxTotalTokens, Reason::KeyMaxModelCalls, Reason::KeyMaxSeconds],
        };
        let left = |most: Option<u64>, spent: u64, reason: Reason| match most
            .map(|most| most.saturating_sub(spent))
        {
            Some(0) => Err(reason),
            left => Ok(left.map(|left| (left, reason))),
        };
        left(budget.max_model_calls, spent.calls, calls)?;
        let tokens = left(budget.max_total_tokens, spent.tokens, tokens)?;
        let ms = left(budget.max_seconds.map(|most| most.saturating_mul(1000)), spent.ms, time)?;
        let time = ms.map(|(ms, reason)| (Duration::from_millis(ms), reason));
        self.tokens = least(self.tokens.take(), tokens);
        self.time = least(self.time.take(), time);
        Ok(())
    }

    /// When there is no time left, if ever.
    pub(crate) fn deadline(&self) -> Option<(Instant, RunIncompleteReason)> {
        let (left, reason) = self.time.clone()?;
        Some((Instant::now().checked_add(left)?, reason))
    }
}

fn least<T: PartialOrd, R>(one: Option<(T, R)>, other: Option<(T, R)>) -> Option<(T, R)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget() -> impl Strategy<Value = Budget> {
        let most = || proptest::option::of(1..20_u64);
        (most(), most(), most()).prop_map(|(tokens, calls, seconds)| {
            let mut budget = Budget::new();
            (budget.max_total_tokens, budget.max_model_calls, budget.max_seconds) = (tokens, calls, seconds);
            budget
        })
    }

    fn spent() -> impl Strategy<Value = Spent> {
        (0..20_u64, 0..20_u64, 0..20_000_u64).prop_map(|(tokens, calls, ms)| Spent { tokens, calls, ms })
    }

    proptest! {
        /// What is allowed fits into every budget, and is refused only if one has nothing left.
        #[test]
        fn the_tightest_budget_decides(budgets in [(budget(), spent()), (budget(), spent()), (budget(), spent())]) {
            let mut allowance = Allowance::default();
            let owners = [Owner::Run, Owner::Thread, Owner::Key];
            let narrowed = owners.into_iter().zip(&budgets)
                .try_for_each(|(owner, (budget, spent))| allowance.narrow(owner, budget, *spent));
            let used_up = |most: Option<u64>, spent: u64| most.is_some_and(|most| spent >= most);
            let any_used_up = budgets.iter().any(|(budget, spent)| {
                used_up(budget.max_total_tokens, spent.tokens)
                    || used_up(budget.max_model_calls, spent.calls)
                    || used_up(budget.max_seconds.map(|most| most * 1000), spent.ms)
            });
            prop_assert_eq!(narrowed.is_err(), any_used_up);
            if narrowed.is_ok() {
                let tokens = budgets.iter().filter_map(|(budget, spent)| Some(budget.max_total_tokens? - spent.tokens));
                prop_assert_eq!(allowance.tokens.map(|(left, _)| left), tokens.min());
                let ms = budgets.iter().filter_map(|(budget, spent)| Some(budget.max_seconds? * 1000 - spent.ms));
                prop_assert_eq!(allowance.time.map(|(left, _)| left), ms.min().map(Duration::from_millis));
            }
        }
    }
}
