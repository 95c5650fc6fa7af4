use std::time::Duration;

use serde_json::json;

use crate::ToolError;

/// Most characters of an error that a model is shown.
const MAX_CHARACTERS: usize = 2_000;

/// Why a call has no answer, in words that a model can act on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("there is no function `{name}`; the functions are: {known}")]
    Unknown { name: String, known: String },
    #[error("the arguments have {0} bytes, more than {max}: send less", max = crate::registry::MAX_BYTES)]
    ArgumentsTooLong(usize),
    #[error("the arguments are not valid JSON ({0}): send them again as one JSON object")]
    NotJson(#[source] serde_json::Error),
    #[error("the arguments do not fit the function: {0}")]
    Wrong(String),
    #[error("the function gave no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the function crashed: {0}")]
    Panicked(String),
    #[error(transparent)]
    Failed(#[from] ToolError),
    #[error("the result has {0} bytes, more than {max}: ask for less", max = crate::registry::MAX_BYTES)]
    ResultTooLong(usize),
}

impl CallError {
    /// What the model is shown: `{"error": "…"}`, cut at a length.
    pub(crate) fn to_output(&self) -> String {
        let mut message = self.to_string();
        if let Some((end, _)) = message.char_indices().nth(MAX_CHARACTERS) {
            message.truncate(end);
            message.push('…');
        }
        json!({"error": message}).to_string()
    }
}
