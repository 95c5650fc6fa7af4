use std::{collections::VecDeque, fmt, future, pin::Pin};

use futures_util::stream;
use ropewalk_types::Usage;

use super::words::pieces;
use crate::{FinishReason, ModelError, ModelErrorKind, ModelEvent, ModelStream, ToolCallPart};

/// One answer of a test double: what it says, and where it waits or fails.
///
/// A turn that ends with neither a finish nor a failure breaks off as a cut connection does: with an error of the kind
/// `Interrupted`. A failure that stands first is returned by [`stream`](crate::Model::stream) itself.
///
/// ```
/// # use ropewalk_model::{ModelError, ModelErrorKind, ModelEvent, ScriptedModel, Turn};
/// let model = ScriptedModel::with_turns([
///     Turn::calls([("get_stock_price", r#"{"ticker":"AAPL"}"#)]),
///     Turn::text("It is 212.40."),
///     Turn::new().event(ModelEvent::Text("It".into())).stall(),
///     Turn::new().fail(ModelError::new(ModelErrorKind::RateLimited)),
/// ]);
/// ```
#[derive(Default)]
pub struct Turn {
    steps: VecDeque<Step>,
}

enum Step {
    Event(ModelEvent),
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    Fail(ModelError),
}

impl Turn {
    /// An empty turn.
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole answer: `text` word by word, its usage in words, and the finish.
    pub fn text(text: &str) -> Self {
        let words = pieces(text).map(|word| ModelEvent::Text(word.to_owned()));
        let turn = words.fold(Self::new(), Self::event);
        let completion_tokens = turn.steps.len() as u64;
        turn.event(ModelEvent::Usage(Usage {
            prompt_tokens: 0,
            completion_tokens,
            total_tokens: completion_tokens,
        }))
        .event(ModelEvent::Finish(FinishReason::Stop))
    }

    /// A whole answer that asks for these calls (name, arguments), with the ids `call_0`, `call_1`, …
    pub fn calls<'a>(calls: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let parts = (0..).zip(calls).map(|(index, (name, arguments))| ToolCallPart {
            index,
            id: Some(format!("call_{index}")),
            name: Some(name.to_owned()),
            arguments: arguments.to_owned(),
        });
        let turn = parts.map(ModelEvent::ToolCall).fold(Self::new(), Self::event);
        turn.event(ModelEvent::Finish(FinishReason::ToolCalls))
    }

    /// Then says this.
    #[must_use]
    pub fn event(mut self, event: ModelEvent) -> Self {
        self.steps.push_back(Step::Event(event));
        self
    }

    /// Then waits for `gate`: a channel of the test, or a sleep while time is paused.
    #[must_use]
    pub fn wait(mut self, gate: impl Future<Output = ()> + Send + 'static) -> Self {
        self.steps.push_back(Step::Wait(Box::pin(gate)));
        self
    }

    /// Then says nothing more, and does not end either.
    #[must_use]
    pub fn stall(self) -> Self {
        self.wait(future::pending())
    }

    /// Then fails.
    #[must_use]
    pub fn fail(mut self, error: ModelError) -> Self {
        self.steps.push_back(Step::Fail(error));
        self
    }

    pub(super) fn play(mut self) -> Result<ModelStream, ModelError> {
        if let Some(Step::Fail(_)) = self.steps.front()
            && let Some(Step::Fail(error)) = self.steps.pop_front()
        {
            return Err(error);
        }
        let steps = self.fail(ModelError::new(ModelErrorKind::Interrupted)).steps;
        Ok(Box::pin(stream::unfold(steps, async |mut steps| {
            loop {
                match steps.pop_front()? {
                    Step::Wait(gate) => gate.await,
                    Step::Fail(error) => return Some((Err(error), VecDeque::new())),
                    Step::Event(event @ ModelEvent::Finish(_)) => return Some((Ok(event), VecDeque::new())),
                    Step::Event(event) => return Some((Ok(event), steps)),
                }
            }
        })))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.steps).finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Wait(_) => f.write_str("wait"),
            Self::Fail(error) => error.fmt(f),
        }
    }
}
