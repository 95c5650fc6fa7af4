use std::{error::Error, fmt, time::Duration};

use ropewalk_types::ErrorObject;
use serde_json::Value;

type BoxError = Box<dyn Error + Send + Sync>;

/// Most characters kept of the text of an upstream's error.
const UPSTREAM_CHARS: usize = 1_000;

/// Why a model gave no answer, or only the beginning of one.
///
/// Its message is made of our own words alone; what the server said stands apart, in
/// [`upstream_message`](Self::upstream_message).
#[derive(Debug)]
pub struct ModelError {
    kind: ModelErrorKind,
    about: Option<&'static str>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    code: Option<Box<str>>,
    upstream: Option<Box<str>>,
    error: Option<Box<ErrorObject>>,
    source: Option<BoxError>,
}

/// What a caller can do about a [`ModelError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// Too many requests or tokens, or a spent quota (429): wait, or pay.
    RateLimited,
    /// A bad prompt, a bad parameter or an unknown model (other 4xx): ask for something else.
    InvalidRequest,
    /// A key that is missing, wrong or not allowed to do this (401, 403).
    Unauthorized,
    /// A server that is down, overloaded or cannot be reached (5xx, no connection).
    Unavailable,
    /// An answer that broke off before its finish.
    Interrupted,
    /// No answer, or no more of it, within the time allowed.
    TimedOut,
    /// A server that does not speak Chat Completions.
    Protocol,
}

impl ModelErrorKind {
    /// It in one word: `rate_limited`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
            Self::Interrupted => "interrupted",
            Self::TimedOut => "timed_out",
            Self::Protocol => "protocol",
        }
    }
}

impl ModelError {
    /// An error of this kind, with nothing more to say.
    pub fn new(kind: ModelErrorKind) -> Self {
        Self {
            kind,
            about: None,
            status: None,
            retry_after: None,
            code: None,
            upstream: None,
            error: None,
            source: None,
        }
    }

    /// Says it in other words: one lower-case line.
    #[must_use]
    pub fn about(mut self, message: &'static str) -> Self {
        self.about = Some(message);
        self
    }

    /// Adds the HTTP status of the upstream's reply.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds how long to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the upstream's word for programs: `context_length_exceeded`.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = Some(one_line(code, 64));
        self
    }

    /// Adds the upstream's own text, as one line of at most 1,000 characters.
    #[must_use]
    pub fn with_upstream_message(mut self, message: &str) -> Self {
        self.upstream = Some(one_line(message, UPSTREAM_CHARS)).filter(|line| !line.is_empty());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ModelErrorKind {
        self.kind
    }

    /// Whether the same request may do better later. A spent quota does not come back by waiting.
    pub fn is_retryable(&self) -> bool {
        use ModelErrorKind::{Interrupted, RateLimited, TimedOut, Unavailable};
        matches!(self.kind, RateLimited | Unavailable | Interrupted | TimedOut)
            && self.code() != Some("insufficient_quota")
    }

    /// How long the upstream asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The upstream's own text for people, as one line of at most 1,000 characters.
    pub fn upstream_message(&self) -> Option<&str> {
        self.upstream.as_deref()
    }

    /// What the upstream said, in the form of the API: its text as in [`upstream_message`](Self::upstream_message),
    /// its own words for type, field and code where it has them. Only of a reply that is an error.
    pub fn upstream_error(&self) -> Option<&ErrorObject> {
        self.error.as_deref()
    }

    /// The upstream's word for programs: `context_length_exceeded`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The HTTP status of the upstream's reply, if there was one that is no success.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What a reply with this status and body says. Also servers that are not quite compatible are understood:
    /// `{"error": {"message": …}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, or plain text.
    ///
    /// `key` is struck out of the text: some servers repeat the key that they refuse.
    pub(crate) fn from_reply(status: u16, body: &[u8], key: &str) -> Self {
        let json = serde_json::from_slice::<Value>(body).ok();
        let error = match (&json, status) {
            (Some(json), _) => {
                Self::new(kind_of_status(status)).described(json.get("error").unwrap_or(json), key)
            }
            (None, 404 | 405) => {
                Self::new(ModelErrorKind::Protocol).about("no Chat Completions at this base URL")
            }
            (None, _) => {
                Self::new(kind_of_status(status)).described(&String::from_utf8_lossy(body).into(), key)
            }
        };
        error.with_status(status)
    }

    /// What an error in the middle of a stream says.
    pub(crate) fn from_frame(error: &Value, key: &str) -> Self {
        Self::new(kind_of_words(error)).described(error, key)
    }

    /// What an event named `error` says.
    pub(crate) fn from_error_event(data: &str, key: &str) -> Self {
        let json = serde_json::from_str::<Value>(data).unwrap_or_else(|_| data.into());
        Self::from_frame(json.get("error").unwrap_or(&json), key)
    }

    /// Strikes a name out of what the upstream said.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.upstream = self.upstream.map(|text| text.replace(name, "***").into());
        if let Some(error) = &mut self.error {
            error.message = error.message.replace(name, "***");
        }
        self
    }

    fn described(self, error: &Value, key: &str) -> Self {
        let word = |names: [&str; 2]| names.iter().find_map(|name| error.get(name)?.as_str());
        let text =
            word(["message", "detail"]).or(error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
        let text = if key.is_empty() { text } else { text.replace(key, "***") };
        let mut described = self.with_upstream_message(&text);
        if let Some(message) = described.upstream_message() {
            let word = |name: &str| error.get(name)?.as_str().map(|word| one_line(word, 64).into());
            let kind = word("type").unwrap_or_else(|| "invalid_request_error".to_owned());
            let (param, code) = (word("param"), word("code"));
            described.error = Some(Box::new(ErrorObject { message: message.to_owned(), kind, param, code }));
        }
        match word(["code", "type"]) {
            Some(code) => described.with_code(code),
            None => described,
        }
    }
}

fn kind_of_status(status: u16) -> ModelErrorKind {
    match status {
        401 | 403 => ModelErrorKind::Unauthorized,
        408 => ModelErrorKind::TimedOut,
        429 => ModelErrorKind::RateLimited,
        400..=499 => ModelErrorKind::InvalidRequest,
        500..=599 => ModelErrorKind::Unavailable,
        _ => ModelErrorKind::Protocol,
    }
}

/// The kind of an error that came behind a status of success: by its number, or by the words that servers use.
fn kind_of_words(error: &Value) -> ModelErrorKind {
    let number = ["code", "status"].iter().find_map(|key| match error.get(key)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64().and_then(|number| u16::try_from(number).ok()),
    });
    if let Some(status @ 400..=599) = number {
        return kind_of_status(status);
    }
    let words = ["code", "type"].map(|key| error.get(key).and_then(Value::as_str).unwrap_or_default());
    let words = words.join(" ").to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if says(&["rate_limit", "ratelimit", "quota", "too_many"]) {
        ModelErrorKind::RateLimited
    } else if says(&["api_key", "auth", "permission"]) {
        ModelErrorKind::Unauthorized
    } else if says(&["timeout", "timed_out"]) {
        ModelErrorKind::TimedOut
    } else if says(&["invalid", "bad_request", "badrequest", "context_length", "not_found", "content_policy"])
    {
        ModelErrorKind::InvalidRequest
    } else {
        ModelErrorKind::Unavailable
    }
}

fn one_line(text: &str, max_chars: usize) -> Box<str> {
    let line = text.trim().chars().take(max_chars).map(|c| if c.is_control() { ' ' } else { c });
    line.collect::<String>().into()
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.about.unwrap_or(match self.kind {
            ModelErrorKind::RateLimited => "the model's server takes no more requests for now",
            ModelErrorKind::InvalidRequest => "the model's server refused the request",
            ModelErrorKind::Unauthorized => "the model's server refused the key",
            ModelErrorKind::Unavailable => "the model's server is not available",
            ModelErrorKind::Interrupted => "the model's answer broke off before its end",
            ModelErrorKind::TimedOut => "the model took too long",
            ModelErrorKind::Protocol => "the model's server does not speak Chat Completions",
        }))?;
        match self.status {
            Some(status) => write!(f, " (HTTP {status})"),
            None => Ok(()),
        }
    }
}

impl Error for ModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ModelErrorKind::*;

    #[test]
    fn errors_of_many_servers_are_understood() {
        for (status, body, kind, text) in [
            (400, r#"{"error":{"message":"no","code":"context_length_exceeded"}}"#, InvalidRequest, "no"),
            (403, r#"{"error":"denied"}"#, Unauthorized, "denied"),
            (404, r#"{"detail":"unknown model"}"#, InvalidRequest, "unknown model"),
            (408, "", TimedOut, ""),
            (422, r#"{"detail":[1]}"#, InvalidRequest, r#"{"detail":[1]}"#),
            (429, r#"{"message":"slow\ndown","type":"requests"}"#, RateLimited, "slow down"),
            (503, "busy\r\n", Unavailable, "busy"),
            (302, "", Protocol, ""),
        ] {
            let error = ModelError::from_reply(status, body.as_bytes(), "");
            let seen = (error.kind(), error.upstream_message().unwrap_or_default(), error.status());
            assert_eq!(seen, (kind, text, Some(status)), "{body}");
        }
        let page = ModelError::from_reply(404, b"<html>", "");
        assert_eq!(page.to_string(), "no Chat Completions at this base URL (HTTP 404)");
    }

    #[test]
    fn an_error_behind_a_success_is_sorted_by_its_words() {
        for (error, kind) in [
            (r#"{"code":429}"#, RateLimited),
            (r#"{"code":"502"}"#, Unavailable),
            (r#"{"type":"rate_limit_error"}"#, RateLimited),
            (r#"{"code":"invalid_api_key","type":"invalid_request_error"}"#, Unauthorized),
            (r#"{"type":"BadRequestError","code":null}"#, InvalidRequest),
            (r#"{"code":"timeout"}"#, TimedOut),
            (r#"{"type":"server_error"}"#, Unavailable),
            (r#""it broke""#, Unavailable),
        ] {
            assert_eq!(ModelError::from_error_event(error, "").kind(), kind, "{error}");
        }
    }

    #[test]
    fn a_key_is_struck_out_even_where_the_text_is_cut() {
        let key = "sk-hidden";
        let body = format!("{}Wrong key {key}: {key}", ".".repeat(985));
        let error = ModelError::from_reply(401, body.as_bytes(), key);
        assert_eq!(error.upstream_message().map(|text| text.chars().count()), Some(UPSTREAM_CHARS));
        assert!(!format!("{error} {error:?}").contains("sk-"), "{error:?}");
    }

    #[test]
    fn a_spent_quota_does_not_come_back_by_waiting() {
        assert!(ModelError::new(RateLimited).is_retryable());
        assert!(!ModelError::new(RateLimited).with_code("insufficient_quota").is_retryable());
        assert!(!ModelError::new(InvalidRequest).is_retryable());
    }
}
