use std::time::Duration;

use http::Uri;
use ropewalk_transport::{AuthLayer, RetryPolicy, SchemeLeaf, Secret, Transport};

use super::ChatCompletions;
use crate::{ModelError, ModelErrorKind};

/// Settings of a [`ChatCompletions`].
#[derive(Debug, Clone)]
pub struct ChatCompletionsBuilder {
    base_url: String,
    key: Option<Secret>,
    retry: RetryPolicy,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl ChatCompletionsBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            key: None,
            retry: RetryPolicy::default(),
            header_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(60),
        }
    }

    /// Sends this key as `Authorization: Bearer`.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Says when to try again before an answer begins; two retries unless set.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Bounds the time until an answer begins, for each try; 300 s unless set, as local servers read a long prompt
    /// before they say anything.
    #[must_use]
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.header_timeout = limit;
        self
    }

    /// Bounds the wait for each next piece of an answer; 60 s unless set.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
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
        let transport = Transport::builder(SchemeLeaf::new())
            .trace()
            .auth(auth)
            .retry(self.retry)
            .header_timeout(self.header_timeout)
            .idle_timeout(self.idle_timeout)
            .build();
        Ok(ChatCompletions { base_url, transport, key: self.key })
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
