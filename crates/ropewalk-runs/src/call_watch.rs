//! One model call as those see it who watch the server: measured, traced, and logged word for word if that is asked for.

use std::time::Instant;

use ropewalk_model::{CallMeter, ModelError, ModelEvent, ModelRequest};
use ropewalk_types::Run;
use tracing::Span;

use crate::trace;

/// Most bytes of a prompt or an answer in the log.
const MOST_LOGGED: usize = 64 * 1024;

/// Watches a model call until it is dropped. Between the first token and the last it costs a comparison or two.
#[derive(Debug)]
pub(crate) struct CallWatch {
    begun: Instant,
    spoke: bool,
    meter: CallMeter,
    span: Span,
    /// What the model said, if somebody wants to read it.
    said: Option<String>,
}

impl CallWatch {
    pub(crate) fn begin(run: &Run, request: &ModelRequest) -> Self {
        let said = tracing::enabled!(target: "ropewalk_runs::content", tracing::Level::TRACE).then(|| {
            let prompt = bounded(format!("{:?}", request.messages));
            tracing::trace!(target: "ropewalk_runs::content", run = %run.id, prompt, "model asked");
            String::new()
        });
        Self {
            begun: Instant::now(),
            spoke: false,
            meter: CallMeter::begin("run"),
            span: trace::chat(run, request),
            said,
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Takes note of what comes.
    pub(crate) fn hear(&mut self, came: &Result<ModelEvent, ModelError>) {
        if !self.spoke && came.is_ok() {
            self.spoke = true;
            self.meter.spoke();
            trace::spoke(&self.span, self.begun.elapsed().as_secs_f64());
        }
        match came {
            Ok(ModelEvent::Text(text) | ModelEvent::Refusal(text)) => {
                if let Some(said) = self.said.as_mut().filter(|said| said.len() < MOST_LOGGED) {
                    said.push_str(text);
                }
            }
            Ok(ModelEvent::Usage(usage)) => {
                self.meter.used(usage);
                trace::used(&self.span, usage.prompt_tokens, usage.completion_tokens);
            }
            Ok(ModelEvent::Finish(reason)) => {
                self.meter.end(None);
                trace::finished(&self.span, reason.as_str());
            }
            Ok(_) => {}
            Err(error) => {
                self.meter.end(Some(error.kind()));
                trace::failed(&self.span, error.kind().as_str());
            }
        }
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        // Who exports a span takes for its end when it was last left.
        let _last = self.span.enter();
        if let Some(said) = self.said.take() {
            tracing::trace!(target: "ropewalk_runs::content", said = bounded(said), "model answered");
        }
    }
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MOST_LOGGED));
    text
}
