use http::{HeaderMap, Response};
use ropewalk_events::{SnapshotError, StreamError};
use ropewalk_transport::{Body, TransportError};
use ropewalk_types::{ErrorBody, ErrorObject, Run};

/// Most bytes read of a reply that is an error.
const MAX_ERROR_BYTES: usize = 1 << 20;
/// Most characters of a reply that is no error body, such as a proxy's page.
const MAX_QUOTED: usize = 500;

/// Why a call, or a stream that a call began, came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client cannot be made with these settings.
    #[error("{0}")]
    Settings(String),
    /// The server refused the request, or failed at it.
    #[error("the server answered {status}: {}", .error.message)]
    Api {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        error: Box<ErrorObject>,
        /// What the server calls the request.
        request_id: Option<String>,
    },
    /// No complete reply came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The reply is not what the endpoint promises.
    #[error("the reply to `{operation}` cannot be read")]
    Reply {
        /// The operation's name in the API reference.
        operation: &'static str,
        /// What the server calls the request.
        request_id: Option<String>,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// An event cannot be read, or does not add up with those before it.
    #[error(transparent)]
    Stream(StreamError<TransportError>),
    /// The events ended before the last one, so that how the run stands is unknown. Get the run.
    #[error("the event stream broke off")]
    CutOff,
    /// The server says that it cannot go on with the events. Get the run.
    #[error("the server broke the event stream off: {}", .0.message)]
    ErrorEvent(Box<ErrorObject>),
    /// The run ended, and not because it was done: see its `last_error` and `incomplete_details`.
    #[error("the run ended as {}{}", .0.status, because(.0))]
    RunEnded(Box<Run>),
}

impl ClientError {
    /// Whether the same call may fare better when it is made anew. A call that makes something may then make it
    /// twice, if the server had seen the first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Api { status, .. } => matches!(status, 408 | 409 | 429 | 500..),
            Self::Transport(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// The HTTP status, if the server refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the server calls the request, for its operator to find it by.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Api { request_id, .. } | Self::Reply { request_id, .. } => request_id.as_deref(),
            Self::Transport(error) => error.request_id(),
            _ => None,
        }
    }

    /// The error that a reply with an error status tells of.
    pub(crate) async fn refused(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect(MAX_ERROR_BYTES).await.unwrap_or_default();
        let error = match serde_json::from_slice(&body) {
            Ok(ErrorBody { error }) => error,
            Err(_) => ErrorObject::server(quoted(&body).unwrap_or_else(|| parts.status.to_string())),
        };
        Self::Api {
            status: parts.status.as_u16(),
            error: Box::new(error),
            request_id: request_id(&parts.headers),
        }
    }

    pub(crate) fn unreadable(
        operation: &'static str,
        headers: &HeaderMap,
        source: serde_json::Error,
    ) -> Self {
        Self::Reply { operation, request_id: request_id(headers), source }
    }
}

impl From<StreamError<TransportError>> for ClientError {
    fn from(error: StreamError<TransportError>) -> Self {
        match error {
            StreamError::Bytes(error) => Self::Transport(error),
            error => Self::Stream(error),
        }
    }
}

impl From<SnapshotError> for ClientError {
    fn from(error: SnapshotError) -> Self {
        Self::Stream(error.into())
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("x-request-id")?.to_str().ok()?.to_owned())
}

/// The beginning of a reply in words of its own; `None` if it has none.
fn quoted(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let start: String = text.trim().chars().take(MAX_QUOTED).collect();
    (!start.is_empty()).then_some(start)
}

fn because(run: &Run) -> String {
    run.last_error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default()
}
