//! How many requests and tokens a minute: two token buckets for each organisation, or key with limits of its own.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use ropewalk_runs::{Clock, Meter};
use ropewalk_store::Organization;
use ropewalk_types::ErrorObject;

use crate::{api_error::ApiError, caller::Caller, keys::KeyId};

/// What an organisation may use each minute, unless its key says otherwise. Nothing is limited unless it is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Most requests a minute.
    pub requests_per_minute: Option<u64>,
    /// Most tokens a minute, of the prompts and the answers of all model calls.
    pub tokens_per_minute: Option<u64>,
}

/// Accounts are looked through for idle ones when there are this many, and then at each doubling.
const SWEEP_AT: usize = 1024;

/// One request, less what is lost when a level is filled in many parts: who waits as told must be let in.
const ONE: f64 = 1.0 - 1e-6;

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Organization(Organization),
    Key(KeyId),
}

/// The accounts of all who called of late.
#[derive(Debug)]
pub(crate) struct Rates {
    defaults: RateLimits,
    accounts: Mutex<Accounts>,
}

#[derive(Debug)]
struct Accounts {
    of: HashMap<Owner, Account>,
    /// The keys that have limits of their own: as many as the operator made, and called with.
    own: HashMap<KeyId, RateLimits>,
    sweep_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl Rates {
    pub(crate) fn new(defaults: RateLimits) -> Self {
        Self {
            defaults,
            accounts: Mutex::new(Accounts { of: HashMap::new(), own: HashMap::new(), sweep_at: SWEEP_AT }),
        }
    }

    /// Takes one request from the caller's account at `now_ms`; `spends` if it may lead to model calls, for which
    /// there must be tokens left. Gives what the headers of the reply say, `None` if nothing is limited.
    ///
    /// # Errors
    ///
    /// 429, beside the headers.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        spends: bool,
        now_ms: i64,
    ) -> (Option<Standing>, Result<(), ApiError>) {
        let own = caller.limits;
        let mut accounts = self.accounts.lock();
        if let Some(key) = caller.key.filter(|_| own.requests_per_minute.or(own.tokens_per_minute).is_some())
        {
            let limits = RateLimits {
                requests_per_minute: own.requests_per_minute.or(self.defaults.requests_per_minute),
                tokens_per_minute: own.tokens_per_minute.or(self.defaults.tokens_per_minute),
            };
            accounts.own.insert(key, limits);
        }
        let Some(account) = accounts.of(&caller.organization, caller.key, self.defaults, now_ms) else {
            return (None, Ok(()));
        };
        let out = |what: &str, bucket: &Bucket, least: f64| {
            refusal(what, &caller.organization, bucket.limit, bucket.time_to(least))
        };
        let verdict = match (&mut account.requests, &account.tokens) {
            (Some(requests), _) if requests.level < ONE => Err(out("requests", requests, 1.0)),
            (_, Some(tokens)) if spends && tokens.level <= 0.0 => Err(out("tokens", tokens, 1.0)),
            (requests, _) => {
                requests.iter_mut().for_each(|requests| requests.level -= 1.0);
                Ok(())
            }
        };
        (Some(Standing(*account)), verdict)
    }

    /// Takes the tokens that a model call used. They may exceed what is left: the debt is waited for.
    pub(crate) fn spend(&self, organization: &Organization, key: Option<KeyId>, tokens: u64, now_ms: i64) {
        let mut accounts = self.accounts.lock();
        let account = accounts.of(organization, key, self.defaults, now_ms);
        if let Some(bucket) = account.and_then(|account| account.tokens.as_mut()) {
            bucket.level -= tokens as f64;
        }
    }
}

/// Takes what model calls use from the accounts of whom they are made for.
#[derive(Debug)]
pub(crate) struct RateMeter {
    pub(crate) rates: Rates,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Meter for RateMeter {
    fn used(&self, organization: &Organization, key: Option<&str>, tokens: u64) {
        self.rates.spend(organization, key.and_then(KeyId::parse), tokens, self.clock.now_ms());
    }
}

impl Accounts {
    /// The account of a key with limits of its own, or else of the organisation, as it stands at `now_ms`; `None` if
    /// nothing is limited.
    fn of(
        &mut self,
        organization: &Organization,
        key: Option<KeyId>,
        defaults: RateLimits,
        now_ms: i64,
    ) -> Option<&mut Account> {
        let own = key.and_then(|key| Some((Owner::Key(key), *self.own.get(&key)?)));
        let (owner, limits) = own.unwrap_or_else(|| (Owner::Organization(organization.clone()), defaults));
        if limits == RateLimits::default() {
            return None;
        }
        if self.of.len() >= self.sweep_at {
            // A full account is as good as none.
            self.of.retain(|_, account| !account.at(now_ms).is_full());
            self.sweep_at = SWEEP_AT.max(2 * self.of.len());
        }
        let fresh = || Account {
            requests: limits.requests_per_minute.map(|limit| Bucket::full(limit, now_ms)),
            tokens: limits.tokens_per_minute.map(|limit| Bucket::full(limit, now_ms)),
        };
        Some(self.of.entry(owner).or_insert_with(fresh).at(now_ms))
    }
}

impl Account {
    fn at(&mut self, now_ms: i64) -> &mut Self {
        self.buckets().for_each(|bucket| bucket.fill(now_ms));
        self
    }

    fn is_full(&mut self) -> bool {
        self.buckets().all(|bucket| bucket.level >= bucket.limit as f64)
    }

    fn buckets(&mut self) -> impl Iterator<Item = &mut Bucket> {
        self.requests.iter_mut().chain(&mut self.tokens)
    }
}

/// It holds what may be used now, and fills within a minute.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    limit: u64,
    level: f64,
    filled_ms: i64,
}

impl Bucket {
    fn full(limit: u64, now_ms: i64) -> Self {
        Self { limit, level: limit as f64, filled_ms: now_ms }
    }

    /// A clock that goes back fills nothing, and what it repeats is not filled twice for more than a minute.
    fn fill(&mut self, now_ms: i64) {
        let passed = now_ms.saturating_sub(self.filled_ms).max(0) as f64;
        self.level = (self.level + passed * self.per_ms()).min(self.limit as f64);
        self.filled_ms = now_ms;
    }

    fn per_ms(&self) -> f64 {
        self.limit as f64 / 60_000.0
    }

    /// How long until it holds `level`.
    fn time_to(&self, level: f64) -> Duration {
        let missing = (level - self.level).max(0.0) / self.per_ms();
        // A limit of 0 never fills: whoever asks then may ask again in a day.
        Duration::from_millis(if missing.is_finite() { missing.ceil() as u64 } else { 86_400_000 })
    }
}

/// What the headers say of an account.
#[derive(Debug)]
pub(crate) struct Standing(Account);

impl Standing {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let named = [
            (
                &self.0.requests,
                [
                    "x-ratelimit-limit-requests",
                    "x-ratelimit-remaining-requests",
                    "x-ratelimit-reset-requests",
                ],
            ),
            (
                &self.0.tokens,
                ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
            ),
        ];
        for (bucket, names) in named {
            let Some(bucket) = bucket else { continue };
            let reset = in_words(bucket.time_to(bucket.limit as f64));
            let remaining = bucket.level.max(0.0) as u64;
            let values = [HeaderValue::from(bucket.limit), HeaderValue::from(remaining)];
            let values = values.into_iter().chain(HeaderValue::from_str(&reset));
            for (name, value) in names.into_iter().zip(values) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// `12ms`, `1s`, `6m0s`, `1h0m0s`: rounded up.
fn in_words(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let seconds = time.as_millis().div_ceil(1000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn refusal(what: &str, organization: &Organization, limit: u64, wait: Duration) -> ApiError {
    let message = format!(
        "Rate limit reached for {organization} on {what} per min: Limit {limit}. Please try again in {}.",
        in_words(wait)
    );
    let error = ErrorObject { kind: what.to_owned(), ..ErrorObject::invalid_request(message) };
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, error.code("rate_limit_exceeded")).retry_after(wait)
}

#[cfg(test)]
mod tests;
