use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every reply that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorObject,
}

/// What went wrong, as the API words it. All four keys are always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorObject {
    /// For people.
    pub message: String,
    /// `invalid_request_error`, `server_error`, `requests`, `tokens`, `insufficient_quota`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault, as a path: `tools[0].function.name`.
    pub param: Option<String>,
    /// For programs: `unknown_parameter`, `rate_limit_exceeded`, …
    pub code: Option<String>,
}

impl ErrorObject {
    /// An error of the caller, `invalid_request_error`.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: "invalid_request_error".to_owned(), param: None, code: None }
    }

    /// An error of the server, `server_error`.
    pub fn server(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: "server_error".to_owned(), param: None, code: None }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds the word for programs.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}
