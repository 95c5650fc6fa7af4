use std::time::Duration;

use http::{HeaderMap, Uri};
use ropewalk_transport::{AuthLayer, BreakerPolicy, RetryPolicy, SchemeLeaf, Secret, Transport};

use super::ChatCompletions;
use crate::{ModelError, ModelErrorKind};

/// Settings of a [`ChatCompletions`].
#[derive(Debug, Clone)]
pub struct ChatCompletionsBuilder {
    base_url: String,
    key: Option<Secret>,
    retry: RetryPolicy,
    breaker: Option<BreakerPolicy>,
    first_byte_timeout: Duration,
    idle_timeout: Duration,
    headers: Option<fn(&mut HeaderMap)>,
}

impl ChatCompletionsBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            key: None,
            retry: RetryPolicy::default(),
            breaker: Some(BreakerPolicy::default()),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(120),
            headers: None,
        }
    }

    /// Sends this key as `Authorization: Bearer`.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Says when to try again before an answer begins; two retries unless set. A policy without a deadline gets that of
    /// [`first_byte_timeout`](Self::first_byte_timeout).
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Says when the server is left alone because it failed too often in a row; `None` asks it always.
    #[must_use]
    pub fn breaker(mut self, policy: impl Into<Option<BreakerPolicy>>) -> Self {
        self.breaker = policy.into();
        self
    }

    /// Bounds the time until the first byte of an answer, for each try, and until its headers, for all tries and waits
    /// together; 300 s unless set, as local servers read a long prompt before they say anything.
    #[must_use]
    pub fn first_byte_timeout(mut self, limit: Duration) -> Self {
        self.first_byte_timeout = limit;
        self
    }

    /// Bounds the wait for each next byte of an answer, be it one of a comment; 120 s unless set, as some servers say
    /// nothing while a model thinks, or until a tool call is whole.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Lets `add` see the headers of each request and add to them, in the task that makes the request: for one that says
    /// which trace it is part of.
    #[must_use]
    pub fn headers(mut self, add: fn(&mut HeaderMap)) -> Self {
        self.headers = Some(add);
        self
    }

    /// The finished adapter. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`ModelErrorKind::InvalidRequest`] if the base URL is no plain http or https URL (a key in it is refused too:
    /// URLs end up in logs), or if the key cannot stand in a header.
    pub fn build(self) -> Result<ChatCompletions, ModelError> {
        let base_url = checked(self.base_url)?;
        let auth = self.key.as_ref().map_or(Ok(AuthLayer::new()), |key| AuthLayer::new().bearer(key));
        let auth = auth.map_err(|error| invalid("the key cannot stand in a header").with_source(error))?;
        let mut retry = self.retry;
        retry.deadline.get_or_insert(self.first_byte_timeout);
        let stack = Transport::builder(SchemeLeaf::new())
            .trace()
            .auth(auth)
            .retry(retry)
            .first_byte_timeout(self.first_byte_timeout)
            .idle_timeout(self.idle_timeout);
        let stack = match self.breaker {
            Some(policy) => stack.breaker(policy),
            None => stack,
        };
        Ok(ChatCompletions { base_url, transport: stack.build(), key: self.key, headers: self.headers })
    }
}

/// The URL without a slash at its end.
pub(super) fn checked(base_url: String) -> Result<String, ModelError> {
    let uri: Uri = base_url.parse().map_err(|error| invalid("the base URL is no URL").with_source(error))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if !is_http || !is_plain {
        return Err(invalid("the base URL must be like `https://host/v1`, with no query and no password"));
    }
    Ok(base_url.trim_end_matches('/').to_owned())
}

fn invalid(message: &'static str) -> ModelError {
    ModelError::new(ModelErrorKind::InvalidRequest).about(message)
}
