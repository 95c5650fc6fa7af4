use std::fmt;

use ropewalk_types::{Budget, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::KeyId;

/// What a key may use each minute. `None` is what the server says for all, or no limit where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct KeyLimits {
    /// Most requests a minute.
    pub requests_per_minute: Option<u64>,
    /// Most tokens a minute, of the prompts and the answers of all model calls.
    pub tokens_per_minute: Option<u64>,
}

impl KeyLimits {
    /// No limits of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most requests a minute.
    #[must_use]
    pub fn requests_per_minute(mut self, requests: impl Into<Option<u64>>) -> Self {
        self.requests_per_minute = requests.into();
        self
    }

    /// Sets the most tokens a minute.
    #[must_use]
    pub fn tokens_per_minute(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.tokens_per_minute = tokens.into();
        self
    }
}

/// A key to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewApiKey {
    organization: String,
    project: Option<String>,
    name: Option<String>,
    limits: KeyLimits,
    budget: Option<Budget>,
    expires_at: Option<UnixSeconds>,
}

impl NewApiKey {
    /// A key that speaks for this organisation, for ever and without limits of its own.
    pub fn new(organization: impl Into<String>) -> Self {
        Self { organization: organization.into(), ..Self::default() }
    }

    /// Holds it to one project.
    #[must_use]
    pub fn project(mut self, project: impl Into<Option<String>>) -> Self {
        self.project = project.into();
        self
    }

    /// Names it, for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<Option<String>>) -> Self {
        self.name = name.into();
        self
    }

    /// Limits what it may use each minute.
    #[must_use]
    pub fn limits(mut self, limits: KeyLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Limits what all its runs may use together.
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.budget = budget.into();
        self
    }

    /// Ends it at this time.
    #[must_use]
    pub fn expires_at(mut self, at: impl Into<Option<UnixSeconds>>) -> Self {
        self.expires_at = at.into();
        self
    }

    /// The record of `key`, made at `now`; `None` if a word of it cannot stand in a header or is too long.
    pub(super) fn record(self, key: &str, now: UnixSeconds) -> Option<ApiKey> {
        let Self { organization, project, name, limits, budget, expires_at } = self;
        let fits_header = |word: &str| {
            !word.is_empty() && word.len() <= 256 && word.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let fits = fits_header(&organization)
            && project.as_deref().is_none_or(fits_header)
            && name.as_deref().is_none_or(|name| name.len() <= 256 && !name.contains(char::is_control));
        let last4 = key.get(key.len().checked_sub(4)?..)?.to_owned();
        let id = KeyId::of(key).to_string();
        let record = ApiKey {
            id,
            name,
            last4,
            organization,
            project,
            created_at: now,
            expires_at,
            revoked_at: None,
            limits,
            budget,
        };
        fits.then_some(record)
    }
}

/// A key as it is stored: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// The key's SHA-256 in hexadecimal digits.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Its last four characters, to recognise it by.
    pub last4: String,
    /// Whose objects it opens.
    pub organization: String,
    /// The project that it is held to.
    pub project: Option<String>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it ends.
    pub expires_at: Option<UnixSeconds>,
    /// When it was revoked.
    pub revoked_at: Option<UnixSeconds>,
    /// What it may use each minute.
    pub limits: KeyLimits,
    /// What all its runs may use together.
    pub budget: Option<Budget>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// A key that was just made. Only now is it known.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedApiKey {
    /// `sk-` and 43 letters and digits: 256 random bits. Nobody can show it again.
    pub key: String,
    /// What is kept of it.
    pub record: ApiKey,
}

impl fmt::Debug for CreatedApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedApiKey").field("key", &"***").field("record", &self.record).finish()
    }
}

impl CreatedApiKey {
    pub(super) fn new(key: String, record: ApiKey) -> Self {
        Self { key, record }
    }
}
