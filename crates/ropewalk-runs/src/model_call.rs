//! One model call as its budgets see it.

use ropewalk_model::ModelEvent;
use ropewalk_tokens::Encoding;
use ropewalk_types::{RunIncompleteReason, Usage};
use tokio::time::Instant;

use crate::{budget::Spent, machine::Input};

/// A model call that is under way.
#[derive(Debug)]
pub(crate) struct ModelCall {
    begun: Instant,
    /// What the run's calls had used before it.
    before: u64,
    /// When a budget of time ends it, and which.
    pub(crate) deadline: Option<(Instant, RunIncompleteReason)>,
    /// Counts what it uses, in case that its host does not say. Only where it matters: it takes a dictionary.
    estimate: Option<Estimate>,
}

#[derive(Debug)]
struct Estimate {
    encoding: Encoding,
    prompt_tokens: u64,
    said: String,
    reported: bool,
}

impl ModelCall {
    /// A call that begins now; `prompt_tokens` if what it uses is to be counted.
    pub(crate) fn begin(before: Usage, model: &str, prompt_tokens: Option<u64>) -> Self {
        let estimate = prompt_tokens.map(|prompt_tokens| Estimate {
            encoding: Encoding::for_model(model),
            prompt_tokens,
            said: String::new(),
            reported: false,
        });
        Self { begun: Instant::now(), before: before.total_tokens, deadline: None, estimate }
    }

    /// Takes note of what happens; gives an estimate of what the call used if it ends without a report.
    pub(crate) fn hear(&mut self, input: &Input) -> Option<Usage> {
        let estimate = self.estimate.as_mut()?;
        match input {
            Input::Model(ModelEvent::Text(text) | ModelEvent::Refusal(text)) => estimate.said.push_str(text),
            Input::Model(ModelEvent::ToolCall(part)) => {
                estimate.said.push_str(part.name.as_deref().unwrap_or_default());
                estimate.said.push_str(&part.arguments);
            }
            Input::Model(ModelEvent::Usage(_)) => estimate.reported = true,
            Input::Model(_) => {}
            // A host that was not reached, or refused, showed nothing to a model.
            Input::ModelFailed(_) if estimate.said.is_empty() => {}
            _ if !std::mem::replace(&mut estimate.reported, true) => {
                let (prompt_tokens, completion_tokens) =
                    (estimate.prompt_tokens, estimate.encoding.count(&estimate.said) as u64);
                let total_tokens = prompt_tokens.saturating_add(completion_tokens);
                return Some(Usage { prompt_tokens, completion_tokens, total_tokens });
            }
            _ => {}
        }
        None
    }

    /// What it used, now that all calls of the run used `after`.
    pub(crate) fn end(self, after: Usage) -> Spent {
        Spent {
            tokens: after.total_tokens.saturating_sub(self.before),
            calls: 1,
            ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
