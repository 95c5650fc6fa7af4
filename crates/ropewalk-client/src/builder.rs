use std::{env, net::IpAddr, time::Duration};

use http::Uri;
use ropewalk_transport::{AuthLayer, RetryPolicy, SchemeLeaf, Secret, Transport};

use crate::{Client, ClientError, resume::usual_policy};

/// Where `ropewalk serve` listens unless it is told otherwise.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8484/v1";

/// Settings of a [`Client`] over HTTP.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    api_key: Option<Secret>,
    organization: Option<String>,
    project: Option<String>,
    retry: RetryPolicy,
    resume: RetryPolicy,
    timeout: Duration,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            api_key: None,
            organization: None,
            project: None,
            retry: RetryPolicy::default(),
            resume: usual_policy(),
            timeout: Duration::from_secs(600),
        }
    }

    /// The settings of the environment, under the names that the official SDKs use.
    ///
    /// | variable | |
    /// | --- | --- |
    /// | `OPENAI_BASE_URL` | `http://127.0.0.1:8484/v1` if it is not set, where `ropewalk serve` listens |
    /// | `OPENAI_API_KEY` | needed unless the server is on this machine |
    /// | `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` | optional |
    ///
    /// # Errors
    ///
    /// [`ClientError::Settings`] if the base URL is none, or a key is needed and not set.
    pub fn from_env() -> Result<Self, ClientError> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ClientError> {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        let mut builder = Self::new();
        builder.base_url = variable("OPENAI_BASE_URL").unwrap_or(builder.base_url);
        builder.api_key = variable("OPENAI_API_KEY").map(Secret::new);
        builder.organization = variable("OPENAI_ORG_ID");
        builder.project = variable("OPENAI_PROJECT_ID");
        let uri = checked(&builder.base_url)?;
        if builder.api_key.is_none() && !is_loopback(&uri) {
            let host = uri.host().unwrap_or_default();
            return Err(ClientError::Settings(format!("{host} needs a key: set OPENAI_API_KEY")));
        }
        Ok(builder)
    }

    /// The server, up to and with `/v1`; `http://127.0.0.1:8484/v1` unless set.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sends this key as `Authorization: Bearer`.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Names the organisation that the key must belong to.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organization = Some(id.into());
        self
    }

    /// Names the project that the key must belong to.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project = Some(id.into());
        self
    }

    /// Says when to try again before a reply begins; two retries unless set.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Says when to go on with a run's stream whose connection breaks; ten retries unless set, about a minute, and none
    /// with `max_retries(0)`. An event that comes begins the count anew.
    ///
    /// The server must number its events. With another the stream ends with an error where it breaks.
    pub fn resume(mut self, policy: RetryPolicy) -> Self {
        self.resume = policy;
        self
    }

    /// Bounds the wait for a reply to begin, for each try, and for each next piece of it; 600 s unless set, as in
    /// the official SDKs.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Settings`] if the base URL is no plain http or https URL, [`ClientError::Transport`] if the
    /// key, organisation or project cannot stand in a header.
    pub fn build(self) -> Result<Client, ClientError> {
        let mut auth = AuthLayer::new();
        if let Some(key) = &self.api_key {
            auth = auth.bearer(key)?;
        }
        if let Some(id) = &self.organization {
            auth = auth.organization(id)?;
        }
        if let Some(id) = &self.project {
            auth = auth.project(id)?;
        }
        let transport = Transport::builder(SchemeLeaf::new())
            .trace()
            .auth(auth)
            .retry(self.retry)
            .header_timeout(self.timeout)
            .idle_timeout(self.timeout)
            .build();
        Ok(Client::with_transport(transport, &self.base_url)?.with_resume(self.resume))
    }
}

/// The URL, if it is one that paths can be put behind. A password in it is refused: URLs end up in logs.
pub(crate) fn checked(base_url: &str) -> Result<Uri, ClientError> {
    let plain = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
    };
    let settings = || {
        ClientError::Settings(
            "the base URL must be like `https://host/v1`, with no query and no password".into(),
        )
    };
    base_url.parse().ok().filter(plain).ok_or_else(settings)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_variables(variables: &[(&str, &str)]) -> Result<ClientBuilder, ClientError> {
        ClientBuilder::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_the_client_asks_a_server_on_this_machine() {
        let builder = from_variables(&[("OPENAI_API_KEY", ""), ("OPENAI_BASE_URL", " ")]).unwrap();
        assert_eq!(builder.base_url, DEFAULT_BASE_URL);
        assert!(builder.api_key.is_none());
    }

    #[test]
    fn a_key_is_needed_for_other_machines_only() {
        for url in ["http://localhost:1/v1", "http://127.0.0.9/v1", "http://[::1]:8484/v1"] {
            assert!(from_variables(&[("OPENAI_BASE_URL", url)]).is_ok(), "{url}");
        }
        let url = ("OPENAI_BASE_URL", "https://example.com/v1");
        let error = from_variables(&[url]).unwrap_err();
        assert_eq!(error.to_string(), "example.com needs a key: set OPENAI_API_KEY");
        let builder =
            from_variables(&[url, ("OPENAI_API_KEY", "sk-hidden"), ("OPENAI_ORG_ID", "org-a")]).unwrap();
        assert_eq!(builder.organization.as_deref(), Some("org-a"));
        let shown = format!("{builder:?} {:?}", builder.clone().build());
        assert!(!shown.contains("sk-hidden"), "{shown}");
    }

    #[test]
    fn a_base_url_that_paths_cannot_follow_is_refused() {
        for url in
            ["", "example.com/v1", "ftp://example.com", "http://a/v1?x=1", "https://me:word@example.com/v1"]
        {
            let error = Client::builder().base_url(url).build().unwrap_err();
            assert!(matches!(error, ClientError::Settings(_)), "{url}");
        }
        Client::builder().base_url("https://example.com/v1/").build().unwrap();
    }
}
