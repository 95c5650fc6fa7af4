//! What is measured of model calls, with the facade of the crate `metrics`: nothing, unless the program records it.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use ropewalk_types::Usage;

use crate::ModelErrorKind;

const CALLS: &str = "ropewalk_model_calls_total";
const OPEN: &str = "ropewalk_model_calls_open";
const SECONDS: &str = "ropewalk_model_call_duration_seconds";
const FIRST_SECONDS: &str = "ropewalk_model_time_to_first_token_seconds";
const TOKENS: &str = "ropewalk_model_tokens_total";

/// Tells the recorder of this thread or process what the metrics of this crate mean.
pub fn describe_metrics() {
    describe_counter!(CALLS, "Model calls, by who asked and how they ended.");
    describe_gauge!(OPEN, Unit::Count, "Model calls that are under way.");
    describe_histogram!(SECONDS, Unit::Seconds, "How long a model call took, by who asked.");
    describe_histogram!(FIRST_SECONDS, Unit::Seconds, "How long it took until a model spoke, by who asked.");
    describe_counter!(TOKENS, Unit::Count, "Tokens as hosts count them, by who asked and their kind.");
    gauge!(OPEN).increment(0);
}

/// Measures one model call, from its beginning until it is dropped. A call that is dropped before its
/// [`end`](Self::end) was cancelled.
#[derive(Debug)]
pub struct CallMeter {
    by: &'static str,
    begun: Instant,
    spoke: bool,
    outcome: &'static str,
}

impl CallMeter {
    /// A call begins now. `by` says what for; it becomes a label, so it is one of a few words: `run`.
    pub fn begin(by: &'static str) -> Self {
        gauge!(OPEN).increment(1);
        Self { by, begun: Instant::now(), spoke: false, outcome: "cancelled" }
    }

    /// The model says something. All but the first time costs nothing.
    pub fn spoke(&mut self) {
        if !std::mem::replace(&mut self.spoke, true) {
            histogram!(FIRST_SECONDS, "by" => self.by).record(self.begun.elapsed());
        }
    }

    /// The host says what the call used.
    pub fn used(&self, usage: &Usage) {
        for (kind, tokens) in [("prompt", usage.prompt_tokens), ("completion", usage.completion_tokens)] {
            counter!(TOKENS, "by" => self.by, "kind" => kind).increment(tokens);
        }
    }

    /// The call is over.
    pub fn end(&mut self, failed: Option<ModelErrorKind>) {
        self.outcome = failed.map_or("ok", ModelErrorKind::as_str);
    }
}

impl Drop for CallMeter {
    fn drop(&mut self) {
        gauge!(OPEN).decrement(1);
        counter!(CALLS, "by" => self.by, "outcome" => self.outcome).increment(1);
        histogram!(SECONDS, "by" => self.by).record(self.begun.elapsed());
    }
}
