use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ropewalk_model::{ModelError, ModelErrorKind};
use ropewalk_runs::RunError;
use ropewalk_store::{Kind, StoreError};
use ropewalk_types::{ErrorBody, ErrorObject};

/// An error as the client sees it: a status, and the API's error body.
///
/// The one place where errors from inside become answers. No internal text goes through it: what the log needs
/// is logged here.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: ErrorObject,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: ErrorObject) -> Self {
        Self { status, error }
    }

    /// 400 with this text.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorObject::invalid_request(message))
    }

    /// 400 for the field at `param`.
    pub(crate) fn bad_field(param: &str, code: &str, message: impl Into<String>) -> Self {
        let error = ErrorObject::invalid_request(message).code(code);
        // Without a path it is about the body as a whole.
        let error = if param.is_empty() { error } else { error.param(param) };
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// 404 for an object of this kind.
    pub(crate) fn not_found(kind: Kind, id: &str) -> Self {
        let what = match kind {
            Kind::Assistant => "assistant",
            Kind::Thread => "thread",
            Kind::Message => "message",
            Kind::Run => "run",
            Kind::RunStep => "run step",
            _ => "object",
        };
        let message = format!("No {what} found with id '{id}'.");
        Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message))
    }

    pub(crate) fn unknown_model(id: &str) -> Self {
        let message = format!("The model `{id}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message).code("model_not_found"))
    }

    fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "request failed");
        let message = "The server had an error while processing your request. Sorry about that!";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorObject::server(message))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { kind, id } => Self::not_found(kind, &id),
            StoreError::UnknownCursor { id } => {
                let message = format!("No object found with id '{id}' in this list.");
                Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message))
            }
            StoreError::Busy => {
                let message = "The server is busy and stored nothing. Try again shortly.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorObject::server(message))
            }
            error => Self::internal(&error),
        }
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NoThread(id) => Self::not_found(Kind::Thread, id.as_str()),
            RunError::NoRun(id) => Self::not_found(Kind::Run, id.as_str()),
            RunError::ThreadBusy { thread, run } => {
                Self::bad_request(format!("Thread {thread} already has an active run {run}."))
            }
            RunError::NotWaiting { status } => {
                Self::bad_request(format!("Runs in status \"{status}\" do not accept tool outputs."))
            }
            RunError::WrongOutputs { expected, got } => Self::bad_request(format!(
                "Expected tool outputs for call_ids {}, got {}",
                quoted(&expected),
                quoted(&got)
            )),
            RunError::NotCancellable { status } => {
                Self::bad_request(format!("Cannot cancel run with status '{status}'."))
            }
            RunError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the model's host could not be asked");
        let status = match error.kind() {
            ModelErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, ErrorObject::server("The model's host did not answer this request."))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&ErrorBody { error: self.error }).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Ids as the API lists them: `['call_a', 'call_b']`.
fn quoted(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("[{}]", ids.join(", "))
}
