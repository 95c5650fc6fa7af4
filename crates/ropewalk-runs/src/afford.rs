//! What a run looks at before each model call, and counts behind it.

use std::panic::resume_unwind;

use ropewalk_model::ModelRequest;
use ropewalk_store::{Batch, Kind, StoreError};
use ropewalk_types::{RunIncompleteReason, Thread};
use tokio::time::Instant;

use crate::{
    RunError,
    budget::{Allowance, Owner, Spent, of_key, of_thread},
    execution::Execution,
    machine::{Effects, Input, Next, RunState},
    model_call::ModelCall,
    prompt, record,
};

/// What is left of a budget becomes a cap on the answer only below this: hosts refuse a cap above what their model can
/// write, and every model can write so much.
const CAP_BELOW: u64 = 4096;

impl Execution {
    /// Begins a model call: `request` as the limits of the run leave it, or what to do instead if they
    /// forbid the call.
    pub(crate) async fn afford(
        &mut self,
        mut request: ModelRequest,
    ) -> Result<Result<ModelRequest, Next>, RunError> {
        let allowance = match self.allowance().await? {
            Ok(allowance) => allowance,
            Err(reason) => return self.take(Input::LimitReached(reason)).await.map(Err),
        };
        let (run, state) = (self.machine.run(), self.machine.state());
        let own = run.max_prompt_tokens.map(|most| most.saturating_sub(state.usage.prompt_tokens));
        let window = self.shared.options.context_window.map(|window| window / 4 * 3);
        let limit = [own, window].into_iter().flatten().min();
        let counts = limit.is_some() || run.max_completion_tokens.is_some() || allowance.tokens.is_some();
        let mut prompt_tokens = None;
        if counts {
            // Many tokens take long to count, and a dictionary to unpack.
            let fit = tokio::task::spawn_blocking(move || {
                let tokens = prompt::fit(&mut request, limit.unwrap_or(u64::MAX));
                (request, tokens)
            });
            let (fitted, tokens) = match fit.await {
                Ok(fitted) => fitted,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                // The process ends; the next one goes on.
                Err(_) => return Err(RunError::Lost),
            };
            if tokens.is_none() {
                let limit = Input::LimitReached(RunIncompleteReason::MaxPromptTokens);
                return self.take(limit).await.map(Err);
            }
            (request, prompt_tokens) = (fitted, tokens);
        }
        match self.prepay().await? {
            Next::Continue => {}
            next => return Ok(Err(next)),
        }
        if let Some((left, reason)) = &allowance.tokens
            && *left < request.max_completion_tokens.unwrap_or(CAP_BELOW)
        {
            request.max_completion_tokens = Some(*left);
            self.machine.capped_by(reason.clone());
        }
        let before = self.machine.state().usage;
        let mut call = ModelCall::begin(before, request.model.as_str(), prompt_tokens);
        call.deadline = allowance.deadline();
        self.call = Some(call);
        Ok(Ok(request))
    }

    /// What budgets leave for the next model call.
    async fn allowance(&self) -> Result<Result<Allowance, RunIncompleteReason>, RunError> {
        let (run, state) = (self.machine.run(), self.machine.state());
        let mut budgets = Vec::new();
        if let Some(budget) = run.budget {
            budgets.push((Owner::Run, budget, Spent::by_run(state)));
        }
        // It may have been set or changed since the run was made.
        let thread = record::get::<Thread>(&self.scope, Kind::Thread, run.thread_id.as_str()).await?;
        if let Some(budget) = thread.and_then(|(thread, _)| thread.budget) {
            let spent = Spent::counted(&self.scope, &of_thread(&run.thread_id)).await?;
            budgets.push((Owner::Thread, budget, spent));
        }
        if let (Some(key), Some(budget)) = (&state.key, state.key_budget) {
            let mut spent = Spent::counted(&self.scope, &of_key(key)).await?;
            spent.calls = spent.calls.saturating_sub(u64::from(state.prepaid));
            budgets.push((Owner::Key, budget, spent));
        }
        let mut allowance = Allowance::default();
        let narrowed = budgets
            .into_iter()
            .try_for_each(|(owner, budget, spent)| allowance.narrow(owner, &budget, spent));
        Ok(narrowed.map(|()| allowance))
    }

    /// Counts the call that is to begin for the run's key, if that limits calls: runs of one key go side by side, and
    /// only one of them gets the last. Those of a thread go one after another. Gives what to do next, which is to
    /// continue unless there is to be no call.
    async fn prepay(&mut self) -> Result<Next, RunError> {
        let state = self.machine.state_mut();
        if state.prepaid || most_calls_of_key(state).is_none() {
            return Ok(Next::Continue);
        }
        state.prepaid = true;
        let effects = Effects { run_changed: true, prepaid: true, ..Effects::default() };
        match self.settle(effects).await {
            Err(RunError::Store(StoreError::OverLimit { .. })) => {
                self.machine.state_mut().prepaid = false;
                self.take(Input::LimitReached(RunIncompleteReason::KeyMaxModelCalls)).await
            }
            next => next,
        }
    }

    /// When the run has to stop what it does now, and what happens then.
    pub(crate) fn next_deadline(&self) -> (Instant, Input) {
        let expires = self.deadline();
        match self.call.as_ref().and_then(|call| call.deadline.clone()) {
            Some((at, reason)) if at < expires => (at, Input::LimitReached(reason)),
            _ => (expires, Input::DeadlinePassed),
        }
    }

    /// If a model call ends with `effects`: what it used, to be stored with them.
    pub(crate) fn account(&mut self, effects: &mut Effects) {
        if effects.next == Next::Continue {
            return;
        }
        if let Some(call) = self.call.take() {
            let state = self.machine.state_mut();
            let spent = call.end(state.usage);
            state.model_calls += spent.calls;
            state.model_ms = state.model_ms.saturating_add(spent.ms);
            effects.spent = Some(spent);
            effects.prepaid = std::mem::take(&mut state.prepaid);
            effects.run_changed = true;
        }
    }

    /// Adds what a model call used to the counters of those who pay for it; or the call itself, if it is to begin now,
    /// and fails the batch then if it is one too many.
    pub(crate) fn count(&self, effects: &Effects, batch: Batch) -> Batch {
        let (run, state) = (self.machine.run(), self.machine.state());
        let of_key = state.key.as_deref().filter(|_| state.key_budget.is_some()).map(of_key);
        match (effects.spent, of_key) {
            (Some(spent), of_key) => {
                let batch = spent.count(batch, &of_thread(&run.thread_id));
                let calls = if effects.prepaid { 0 } else { spent.calls };
                of_key.into_iter().fold(batch, |batch, key| Spent { calls, ..spent }.count(batch, &key))
            }
            // A cancel may have come first.
            (None, Some(of_key)) if effects.prepaid && !run.status.is_terminal() => {
                let most =
                    most_calls_of_key(state).map_or(i64::MAX, |most| i64::try_from(most).unwrap_or(i64::MAX));
                let batch = Spent { calls: 1, ..Spent::default() }.count(batch, &of_key);
                batch.require_at_most(format!("{of_key}calls"), most)
            }
            _ => batch,
        }
    }
}

/// How many model calls the key of the run pays for, if it is known with which it was made.
fn most_calls_of_key(state: &RunState) -> Option<u64> {
    state.key.as_ref().and(state.key_budget)?.max_model_calls
}
