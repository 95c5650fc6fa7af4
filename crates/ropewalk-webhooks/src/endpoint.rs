use std::fmt;

use reqwest::Url;
use ropewalk_store::StoreError;
use ropewalk_types::UnixSeconds;
use serde::{Deserialize, Serialize};

use crate::SigningSecret;

const MAX_URL_BYTES: usize = 2048;
const MAX_EVENTS: usize = 64;

/// A webhook to make.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    organization: String,
    url: String,
    events: Vec<String>,
}

impl NewEndpoint {
    /// Tells `url` of all events of this organisation.
    pub fn new(organization: impl Into<String>, url: impl Into<String>) -> Self {
        Self { organization: organization.into(), url: url.into(), events: Vec::new() }
    }

    /// Tells it of events with this name, and of no others but those that are named likewise.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.events.push(name.into());
        self
    }

    /// The endpoint, if all that was given can be used.
    pub(crate) fn check(self, id: String, now: UnixSeconds) -> Result<Endpoint, EndpointError> {
        let Self { organization, url, mut events } = self;
        let in_a_header = |word: &str| word.bytes().all(|byte| byte.is_ascii_graphic());
        if organization.is_empty() || organization.len() > 256 || !in_a_header(&organization) {
            return Err(EndpointError::Organization);
        }
        let is_name = |name: &String| {
            let part = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            };
            name.len() <= 128 && name.split('.').all(part)
        };
        if let Some(bad) = events.iter().find(|name| !is_name(name)) {
            return Err(EndpointError::Event(bad.clone()));
        }
        events.sort();
        events.dedup();
        if events.len() > MAX_EVENTS {
            return Err(EndpointError::TooManyEvents);
        }
        if url.len() > MAX_URL_BYTES {
            return Err(EndpointError::Url("it is longer than 2,048 bytes"));
        }
        let url = target(&url).map_err(EndpointError::Url)?.into();
        Ok(Endpoint { id, organization, url, events, enabled: true, created_at: now })
    }
}

/// A URL that can be told of events, or what is wrong with it.
pub(crate) fn target(url: &str) -> Result<Url, &'static str> {
    let url = Url::parse(url).map_err(|_| "it is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password");
    }
    if url.fragment().is_some() {
        return Err("it has a fragment");
    }
    if url.port() == Some(0) {
        return Err("its port is 0");
    }
    Ok(url)
}

impl fmt::Debug for NewEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEndpoint").field("organization", &self.organization).finish_non_exhaustive()
    }
}

/// A webhook: an address that an organisation's events are told to.
///
/// Its URL may itself be a secret, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// Starts with `whk_`.
    pub id: String,
    /// Whose events it is told of.
    pub organization: String,
    /// Where they are sent: `http` or `https`, as it is asked for.
    pub url: String,
    /// The names of the events that it wants; all if there are none.
    pub events: Vec<String>,
    /// Whether anything is sent at all. An endpoint that answers 410 is switched off.
    pub enabled: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl Endpoint {
    /// Whether it is to be told of an event of this name.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.enabled && (self.events.is_empty() || self.events.iter().any(|name| name == event))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("organization", &self.organization)
            .field("events", &self.events)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// A webhook that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedEndpoint {
    /// What its receiver checks signatures with. It is not given out again.
    pub secret: SigningSecret,
    /// The webhook.
    pub endpoint: Endpoint,
}

impl CreatedEndpoint {
    pub(crate) fn new(secret: SigningSecret, endpoint: Endpoint) -> Self {
        Self { secret, endpoint }
    }
}

/// Why a webhook cannot be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The organisation is empty, over 256 bytes or not of visible ASCII.
    #[error("an organization is 1 to 256 visible ASCII characters")]
    Organization,
    /// The URL cannot be told of anything. It is not shown, for it may be a secret.
    #[error("the URL cannot be used: {0}")]
    Url(&'static str),
    /// No event can have this name.
    #[error("`{0}` is not the name of an event")]
    Event(String),
    /// It names more than 64 events.
    #[error("a webhook names at most 64 events")]
    TooManyEvents,
    /// There are as many webhooks as there may be.
    #[error("there are {limit} webhooks already{}", if *.of_organization { " in the organization" } else { "" })]
    TooMany {
        /// Most webhooks.
        limit: i64,
        /// Whether that is for one organisation, not for the whole store.
        of_organization: bool,
    },
    /// There is no such webhook.
    #[error("there is no webhook `{0}`")]
    Unknown(String),
    /// The store failed.
    #[error("the webhooks in the store cannot be used")]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new: NewEndpoint) -> Result<Endpoint, EndpointError> {
        new.check("whk_1".to_owned(), UnixSeconds(1))
    }

    #[test]
    fn only_plain_web_addresses_can_be_told() {
        for url in ["https://example.com/hook?key=1", "http://10.0.0.1:8080/", "http://[::1]/"] {
            assert_eq!(check(NewEndpoint::new("acme", url)).unwrap().url, url);
        }
        let long = format!("https://example.com/{}", "x".repeat(2048));
        for url in [
            "",
            "example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://",
            "https://u@example.com/",
            "https://:p@example.com/",
            "https://example.com/#part",
            "http://example.com:0/",
            &long,
        ] {
            assert!(matches!(check(NewEndpoint::new("acme", url)), Err(EndpointError::Url(_))), "{url}");
        }
    }

    #[test]
    fn organisations_fit_a_header_and_events_have_names() {
        let url = "https://example.com/";
        for organization in ["", "two words", "naïve", "a\r\nb", &"x".repeat(257)] {
            assert!(matches!(check(NewEndpoint::new(organization, url)), Err(EndpointError::Organization)));
        }
        for event in ["", ".", "a.", "a b", "é", &"x".repeat(129)] {
            assert!(matches!(
                check(NewEndpoint::new("acme", url).event(event)),
                Err(EndpointError::Event(_))
            ));
        }
        let many = (0..65).fold(NewEndpoint::new("acme", url), |new, number| new.event(format!("e{number}")));
        assert!(matches!(check(many), Err(EndpointError::TooManyEvents)));
    }

    #[test]
    fn an_endpoint_wants_what_it_names_or_everything_while_it_is_on() {
        let mut all = check(NewEndpoint::new("acme", "https://example.com/")).unwrap();
        let one = check(NewEndpoint::new("acme", "https://example.com/").event("a.b").event("a.b")).unwrap();
        assert_eq!(one.events, ["a.b"]);
        assert!(all.wants("a.b") && all.wants("a.c") && one.wants("a.b") && !one.wants("a.c"));
        all.enabled = false;
        assert!(!all.wants("a.b"));
    }

    #[test]
    fn nothing_prints_a_url() {
        let new = NewEndpoint::new("acme", "https://example.com/token");
        let shown = format!("{new:?} {:?}", check(new.clone()).unwrap());
        assert!(!shown.contains("token") && shown.contains("acme"));
    }
}
