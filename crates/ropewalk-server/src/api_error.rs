use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ropewalk_files::{EXTENSIONS, FileError};
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
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: ErrorObject) -> Self {
        let busy = status == StatusCode::SERVICE_UNAVAILABLE;
        Self { status, error, retry_after: busy.then_some(Duration::from_secs(1)) }
    }

    /// Says when to try again; the wire has whole seconds, one at least.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.retry_after
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

    /// The field at fault, the word for programs and the text for people.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> (Option<&str>, Option<&str>, &str) {
        (self.error.param.as_deref(), self.error.code.as_deref(), &self.error.message)
    }

    /// 404 for an object of this kind.
    pub(crate) fn not_found(kind: Kind, id: &str) -> Self {
        if kind == Kind::File {
            let error = ErrorObject::invalid_request(format!("No such File object: {id}")).param("id");
            return Self::new(StatusCode::NOT_FOUND, error);
        }
        let what = match kind {
            Kind::Assistant => "assistant",
            Kind::Thread => "thread",
            Kind::Message => "message",
            Kind::Run => "run",
            Kind::RunStep => "run step",
            Kind::Upload => "upload",
            Kind::VectorStore => "vector store",
            Kind::ChatCompletion => "chat completion",
            _ => "object",
        };
        let message = format!("No {what} found with id '{id}'.");
        Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message))
    }

    pub(crate) fn unknown_model(id: &str) -> Self {
        let message = format!("The model `{id}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message).code("model_not_found"))
    }

    /// What became of a request that passes through to the model's host. What that says of a bad request is about the
    /// caller's words, and goes on to the caller; the rest is the operator's matter.
    pub(crate) fn of_upstream(error: ModelError) -> Self {
        if error.kind() == ModelErrorKind::InvalidRequest
            && let Some(refusal) = error.upstream_error()
            && let Some(status) = error.status().and_then(|status| StatusCode::from_u16(status).ok())
        {
            return Self::new(status, refusal.clone());
        }
        let wait = error.retry_after().filter(|_| error.is_retryable());
        let passed = match error.kind() {
            ModelErrorKind::RateLimited => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the model's host takes no more");
                let message = "Rate limit reached for the model. Please try again later.";
                let error =
                    ErrorObject { kind: "requests".to_owned(), ..ErrorObject::invalid_request(message) };
                Self::new(StatusCode::TOO_MANY_REQUESTS, error.code("rate_limit_exceeded"))
            }
            _ => error.into(),
        };
        match wait {
            Some(wait) => passed.retry_after(wait),
            None => passed,
        }
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
            StoreError::NoSpace(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no room left");
                let message = "The server has no room left to store this. Nothing was stored.";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, ErrorObject::server(message))
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
            RunError::LineFull(thread) => {
                Self::bad_request(format!("Thread {thread} already has 100 runs that wait for it."))
            }
            RunError::Overloaded => {
                let message = "The engine is currently overloaded: too many runs wait to be started. Try again shortly.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorObject::server(message))
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

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NoFile(id) => Self::not_found(Kind::File, id.as_str()),
            FileError::NoFiles(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                Self::bad_request(format!("Files {} were not found", quoted(&ids)))
            }
            FileError::NoUpload(id) => Self::not_found(Kind::Upload, id.as_str()),
            FileError::NoVectorStore(id) => Self::not_found(Kind::VectorStore, id.as_str()),
            FileError::NotInStore { store, file } => {
                let message = format!("No file found with id '{file}' in vector store '{store}'.");
                Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message))
            }
            FileError::NoBatch { store, batch } => {
                let message = format!("No file batch found with id '{batch}' in vector store '{store}'.");
                Self::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message))
            }
            FileError::Expired(id) => Self::bad_request(format!("Vector store '{id}' has expired.")),
            FileError::TooLarge { limit } => {
                let message = format!("The file is larger than the most that is taken, {limit} bytes.");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorObject::invalid_request(message))
            }
            FileError::Quota => Self::bad_request(
                "You have exceeded your file storage quota. Delete files that you no longer need, or ask the \
                 operator of this server for more.",
            ),
            FileError::Extension(extension) => {
                let supported: Vec<String> = EXTENSIONS.iter().map(|known| format!("\"{known}\"")).collect();
                let supported = supported.join(", ");
                Self::bad_request(format!("Invalid extension {extension}. Supported formats: {supported}"))
            }
            FileError::NotDownloadable(purpose) => {
                Self::bad_request(format!("Not allowed to download files of purpose: {purpose}"))
            }
            FileError::UploadOver(status) => {
                Self::bad_request(format!("The upload is over: its status is '{}'.", status.as_str()))
            }
            FileError::Parts(why) => Self::bad_request(format!("The parts do not make the file: {why}.")),
            FileError::BatchOver(status) => {
                Self::bad_request(format!("Cannot cancel file batch with status '{}'.", status.as_str()))
            }
            FileError::TooMany { what, limit } => {
                Self::bad_request(format!("There may be no more than {limit} {what}."))
            }
            FileError::Store(error) => error.into(),
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
        if let Some(wait) = self.retry_after {
            let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

/// Ids as the API lists them: `['call_a', 'call_b']`.
fn quoted(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("[{}]", ids.join(", "))
}
