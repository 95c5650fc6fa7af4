use std::collections::VecDeque;

use ropewalk_types::Usage;

use super::chunk::{CallDelta, Choice, Chunk, Delta};
use crate::{FinishReason, ModelError, ModelErrorKind, ModelEvent, ToolCallPart};

/// Most bytes of text, arguments, names and ids in one answer.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// Most calls in one answer.
const MAX_CALLS: u32 = 1_024;

/// Reads one answer from its chunks: pure, the stream around it moves the bytes.
///
/// Events wait in it until they are taken. The usage and the finish are held back until the answer
/// [`end`](Self::end)s, because the usage may follow the finish, or come with every chunk.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    ready: VecDeque<ModelEvent>,
    calls: Vec<Call>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    bytes: usize,
}

/// A call as its server names it; its place among the calls is its index for us.
#[derive(Debug)]
struct Call {
    index: Option<u32>,
    id: Option<String>,
    named: bool,
}

impl Answer {
    /// The oldest event not yet taken.
    pub(crate) fn take(&mut self) -> Option<ModelEvent> {
        self.ready.pop_front()
    }

    /// Whether the finish was seen: what fails later takes nothing from the answer.
    pub(crate) fn is_complete(&self) -> bool {
        self.finish.is_some()
    }

    /// Reads one chunk of a stream.
    pub(crate) fn read(&mut self, json: &str, key: &str) -> Result<(), ModelError> {
        let chunk = checked(serde_json::from_str(json), key)?;
        self.usage = chunk.usage.map(Usage::from).or(self.usage.take());
        match chunk.choice.0 {
            Some(choice) => self.choice(choice),
            None => Ok(()),
        }
    }

    /// Reads an answer that came whole, from a server that does not stream.
    pub(crate) fn read_whole(&mut self, json: &[u8], key: &str) -> Result<(), ModelError> {
        let chunk = checked(serde_json::from_slice(json), key)?;
        self.usage = chunk.usage.map(Usage::from);
        self.choice(chunk.choice.0.ok_or_else(|| ModelError::new(ModelErrorKind::Protocol))?)?;
        self.finish.get_or_insert(FinishReason::Stop);
        Ok(())
    }

    /// Ends the answer, or says that it broke off.
    pub(crate) fn end(&mut self) -> Result<(), ModelError> {
        let finish = self.finish.take().ok_or_else(|| ModelError::new(ModelErrorKind::Interrupted))?;
        self.ready.extend(self.usage.take().map(ModelEvent::Usage));
        self.ready.push_back(ModelEvent::Finish(match finish {
            // Some servers always say `stop`; the API itself does so when the call was asked for by name.
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            finish => finish,
        }));
        Ok(())
    }

    fn choice(&mut self, choice: Choice) -> Result<(), ModelError> {
        if let Some(delta) = choice.delta.or(choice.message) {
            self.delta(delta)?;
        }
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            self.finish.get_or_insert_with(|| word.into());
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta) -> Result<(), ModelError> {
        let refusal = delta.refusal.unwrap_or_default();
        self.weigh(delta.content.0.len() + refusal.len())?;
        if !delta.content.0.is_empty() {
            self.ready.push_back(ModelEvent::Text(delta.content.0));
        }
        if !refusal.is_empty() {
            self.ready.push_back(ModelEvent::Refusal(refusal));
        }
        delta.tool_calls.into_iter().flatten().try_for_each(|call| self.call(call))
    }

    fn call(&mut self, delta: CallDelta) -> Result<(), ModelError> {
        let function = delta.function.unwrap_or_default();
        let id = delta.id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        let arguments = function.arguments.0;
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.weigh(arguments.len() + length(&id) + length(&name))?;

        let place = self.place(delta.index, id.as_deref(), name.is_some())?;
        let call = &mut self.calls[place as usize];
        let part = ToolCallPart {
            index: place,
            id: id.filter(|_| call.id.is_none()),
            name: name.filter(|_| !call.named),
            arguments,
        };
        call.named |= part.name.is_some();
        if part.id.is_some() {
            call.id.clone_from(&part.id);
        }
        if part.id.is_some() || part.name.is_some() || !part.arguments.is_empty() {
            self.ready.push_back(ModelEvent::ToolCall(part));
        }
        Ok(())
    }

    /// Which call a part belongs to. Servers differ: some number no calls, some give all of them number 0, some give
    /// no ids, and some repeat the id or the name in every part.
    fn place(&mut self, index: Option<u32>, id: Option<&str>, named: bool) -> Result<u32, ModelError> {
        let open = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index),
            None => (self.calls.iter().rposition(|call| id.is_some() && call.id.as_deref() == id))
                .or(self.calls.len().checked_sub(1)),
        };
        let goes_on = |call: &Call| {
            !(named && call.named) || if id.is_some() { call.id.as_deref() == id } else { index.is_some() }
        };
        let place = open.filter(|&place| goes_on(&self.calls[place])).unwrap_or(self.calls.len());
        if place == self.calls.len() {
            self.calls.push(Call { index, id: None, named: false });
        }
        u32::try_from(place).ok().filter(|place| *place < MAX_CALLS).ok_or_else(|| {
            ModelError::new(ModelErrorKind::Protocol).about("the model makes too many calls at once")
        })
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES { Err(too_long()) } else { Ok(()) }
    }
}

pub(crate) fn too_long() -> ModelError {
    ModelError::new(ModelErrorKind::Protocol).about("the model's answer is too long")
}

fn checked(chunk: serde_json::Result<Chunk>, key: &str) -> Result<Chunk, ModelError> {
    let chunk = chunk.map_err(|error| {
        ModelError::new(ModelErrorKind::Protocol)
            .about("the model's answer cannot be read")
            .with_source(error)
    })?;
    match chunk.error {
        Some(error) => Err(ModelError::from_frame(&error, key)),
        None => Ok(chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_bounded_in_text_and_in_calls() {
        let mut answer = Answer { bytes: MAX_BYTES - 3, ..Answer::default() };
        let text = r#"{"choices":[{"delta":{"content":"ab"}}]}"#;
        assert!(answer.read(text, "").is_ok());
        assert_eq!(answer.read(text, "").unwrap_err().kind(), ModelErrorKind::Protocol);

        let mut answer = Answer::default();
        let call = r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#;
        assert!((0..MAX_CALLS).all(|_| answer.read(call, "").is_ok()));
        assert_eq!(answer.read(call, "").unwrap_err().kind(), ModelErrorKind::Protocol);
    }
}
