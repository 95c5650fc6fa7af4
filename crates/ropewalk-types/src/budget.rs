use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What model calls may use at most; an absent field limits nothing.
///
/// Whoever has one is looked at before each model call, and during it as to the time. A run that finds one used up
/// ends `incomplete`, with the reason that [`RunIncompleteReason`](crate::RunIncompleteReason) names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// Most tokens, shown and written; at least 1. The call that crosses the line is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_total_tokens: Option<u64>,
    /// Most calls of a model; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_model_calls: Option<u64>,
    /// Most seconds of model calls; at least 1. Waiting, for outputs or for a thread, costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_seconds: Option<u64>,
}

impl Budget {
    /// No limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Caps the tokens, shown and written.
    #[must_use]
    pub fn max_total_tokens(mut self, tokens: u64) -> Self {
        self.max_total_tokens = Some(tokens);
        self
    }

    /// Caps the calls of a model.
    #[must_use]
    pub fn max_model_calls(mut self, calls: u64) -> Self {
        self.max_model_calls = Some(calls);
        self
    }

    /// Caps the seconds of model calls.
    #[must_use]
    pub fn max_seconds(mut self, seconds: u64) -> Self {
        self.max_seconds = Some(seconds);
        self
    }
}
