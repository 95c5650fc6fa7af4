use std::fmt;
use std::time::Duration;

/// Any error that can travel between tasks.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request has no complete response.
///
/// An answer with an error status is a response, not a `TransportError`.
#[derive(Debug, thiserror::Error)]
#[error("{kind}{}", Suffix(.request_id.as_deref()))]
pub struct TransportError {
    kind: TransportErrorKind,
    may_have_been_sent: bool,
    request_id: Option<Box<str>>,
    retry_after: Option<Duration>,
    source: Option<BoxError>,
}

/// What went wrong, as far as a caller would act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The request cannot be sent as it is; the same request fails again.
    InvalidRequest,
    /// No connection was made, so nothing was sent.
    Connect,
    /// A time limit passed: until the headers, or between two pieces of the body.
    Timeout,
    /// The body broke off after the headers had come.
    Interrupted,
    /// The body is longer than the caller accepts.
    TooLarge,
    /// The connection ended, or made no sense, before any response.
    Closed,
    /// The server failed so often that it is left alone for a while: nothing was sent.
    CircuitOpen,
}

impl TransportError {
    /// An error of this kind. All kinds but `InvalidRequest`, `Connect` and `CircuitOpen` say that the request may
    /// have been sent.
    #[must_use]
    pub fn new(kind: TransportErrorKind) -> Self {
        use TransportErrorKind::{CircuitOpen, Connect, InvalidRequest};
        let unsent = matches!(kind, InvalidRequest | Connect | CircuitOpen);
        Self { kind, may_have_been_sent: !unsent, request_id: None, retry_after: None, source: None }
    }

    /// Names the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the request as the server knows it; a name given earlier stays.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        self.request_id.get_or_insert_with(|| id.into());
        self
    }

    /// Says how long to wait before the request is sent anew.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// States that nothing of the request has left this process.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.may_have_been_sent = false;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// The `x-request-id` of the response, when one had begun.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How long to wait before the request is sent anew, when that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the server may have seen the request, and acted on it.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.may_have_been_sent
    }

    /// Whether the same request may fare better when it is sent anew.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self.kind, TransportErrorKind::InvalidRequest | TransportErrorKind::TooLarge)
    }

    /// Finds the transport's own error in `source`, or says `kind` because of it.
    pub(crate) fn adopt(kind: TransportErrorKind, source: impl Into<BoxError>) -> Self {
        match source.into().downcast::<Self>() {
            Ok(own) => *own,
            Err(foreign) => Self::new(kind).with_source(foreign),
        }
    }

    pub(crate) fn invalid(source: impl Into<BoxError>) -> Self {
        Self::new(TransportErrorKind::InvalidRequest).with_source(source)
    }
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidRequest => "the request cannot be sent",
            Self::Connect => "no connection to the server",
            Self::Timeout => "the server took too long",
            Self::Interrupted => "the body broke off",
            Self::TooLarge => "the body is too large",
            Self::Closed => "the connection closed before a response",
            Self::CircuitOpen => "the server failed too often in a row to be asked now",
        })
    }
}

struct Suffix<'a>(Option<&'a str>);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " (request {id})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn the_message_is_one_line_and_the_cause_stays_in_source() {
        let error = TransportError::new(TransportErrorKind::Interrupted)
            .with_source("reset by peer")
            .with_request_id("req_1")
            .with_request_id("req_2");
        assert_eq!(error.to_string(), "the body broke off (request req_1)");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("reset by peer"));
        assert!(error.is_retryable() && error.may_have_been_sent());
    }

    #[test]
    fn an_error_that_passed_through_a_box_is_the_same_error() {
        let boxed: BoxError = TransportError::new(TransportErrorKind::Timeout).unsent().into();
        let error = TransportError::adopt(TransportErrorKind::Closed, boxed);
        assert_eq!(error.kind(), TransportErrorKind::Timeout);
        assert!(!error.may_have_been_sent() && error.source().is_none());
    }
}
