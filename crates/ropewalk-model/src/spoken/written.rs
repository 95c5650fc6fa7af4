//! A model's events as Chat Completions: in chunks, or whole.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ropewalk_types::{ModelId, Usage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{FinishReason, ModelEvent, ToolCallPart};

/// What ends every stream.
const DONE: &str = "data: [DONE]\n\n";

/// Writes one reply.
pub(super) struct Writer {
    id: String,
    created: u64,
    model: ModelId,
    tells_usage: bool,
    usage: Option<Usage>,
    text: Option<String>,
    refusal: Option<String>,
    calls: Vec<Value>,
    finish: Option<FinishReason>,
}

impl Writer {
    pub(super) fn new(model: &ModelId, tells_usage: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: format!("chatcmpl-{}", Uuid::now_v7().simple()),
            created: now.as_secs(),
            model: model.clone(),
            tells_usage,
            usage: None,
            text: None,
            refusal: None,
            calls: Vec::new(),
            finish: None,
        }
    }

    /// The frame that begins a stream.
    pub(super) fn head(&self) -> Bytes {
        self.delta(&json!({ "role": "assistant", "content": "", "refusal": null }), None).into()
    }

    /// The frames of a stream that say `event`; none of a usage, which waits for the finish.
    pub(super) fn frames(&mut self, event: ModelEvent) -> Bytes {
        match event {
            ModelEvent::Text(text) => self.delta(&json!({ "content": text }), None).into(),
            ModelEvent::Refusal(text) => self.delta(&json!({ "refusal": text }), None).into(),
            ModelEvent::ToolCall(part) => {
                let mut call = json!({ "index": part.index, "function": { "arguments": part.arguments } });
                if let Some(new) = self.begun(&part) {
                    (call["id"], call["type"]) = (new["id"].clone(), "function".into());
                }
                if let Some(name) = part.name {
                    call["function"]["name"] = name.into();
                }
                self.delta(&json!({ "tool_calls": [call] }), None).into()
            }
            ModelEvent::Usage(usage) => {
                self.usage = Some(usage);
                Bytes::new()
            }
            ModelEvent::Finish(finish) => {
                let mut frames = self.delta(&json!({}), Some(&finish));
                if let Some(usage) = self.usage.filter(|_| self.tells_usage) {
                    frames.push_str(&self.chunk(json!([]), json!(usage)));
                }
                frames.push_str(DONE);
                frames.into()
            }
        }
    }

    /// Takes `event` for the whole answer.
    pub(super) fn gather(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Text(text) => self.text.get_or_insert_default().push_str(&text),
            ModelEvent::Refusal(text) => self.refusal.get_or_insert_default().push_str(&text),
            ModelEvent::ToolCall(part) => {
                self.begun(&part);
                let Some(call) = self.calls.get_mut(part.index as usize) else { return };
                if let Some(name) = part.name {
                    call["function"]["name"] = name.into();
                }
                if let Value::String(arguments) = &mut call["function"]["arguments"] {
                    arguments.push_str(&part.arguments);
                }
            }
            ModelEvent::Usage(usage) => self.usage = Some(usage),
            ModelEvent::Finish(finish) => self.finish = Some(finish),
        }
    }

    /// The whole answer.
    pub(super) fn whole(self) -> Bytes {
        let mut message = json!({ "role": "assistant", "content": self.text, "refusal": self.refusal });
        if !self.calls.is_empty() {
            message["tool_calls"] = self.calls.into();
        }
        let finish = self.finish.unwrap_or(FinishReason::Stop);
        let choice =
            json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish.as_str() });
        let mut whole = json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [choice],
        });
        if let Some(usage) = self.usage {
            whole["usage"] = json!(usage);
        }
        whole.to_string().into()
    }

    /// The call that `part` begins, if it is a new one: with its id, and nothing else yet.
    fn begun(&mut self, part: &ToolCallPart) -> Option<&Value> {
        if part.index as usize != self.calls.len() {
            return None;
        }
        let id = part.id.clone().unwrap_or_else(|| format!("call_{}", Uuid::now_v7().simple()));
        self.calls.push(json!({ "id": id, "type": "function", "function": { "name": "", "arguments": "" } }));
        self.calls.last()
    }

    fn delta(&self, delta: &Value, finish: Option<&FinishReason>) -> String {
        let finish = finish.map(FinishReason::as_str);
        let choices = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        self.chunk(choices, Value::Null)
    }

    fn chunk(&self, choices: Value, usage: Value) -> String {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        });
        if self.tells_usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    }
}
