//! What the scripted model does with one call.

use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::answer;

/// Most tool calls of one turn, and most rounds of them in a run.
const TOOL_CALLS: usize = 3;

/// What happens to a call.
#[derive(Debug)]
pub(super) enum Turn {
    /// The connection is reset before a byte of an answer.
    Reset,
    /// No byte ever comes.
    Hang,
    /// An error with this status.
    Refuse(u16),
    /// Frames, each after a pause.
    Answer { frames: Vec<Bytes>, pace: Duration, breaks: Break },
}

/// How an answer fails to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    Not,
    Reset,
    Stall,
    /// It ends in an orderly way, and not with what ends an answer.
    Early,
}

impl Turn {
    /// Throws the dice on `request`; a `calm` model only answers. Each call of `number` gives one that was not used yet.
    pub(super) fn choose(dice: &mut StdRng, request: &Value, calm: bool, number: impl Fn() -> u64) -> Self {
        if calm {
            let frames = frames(&said(&answer::words(number(), 3)), "stop");
            return Self::Answer { frames, pace: Duration::ZERO, breaks: Break::Not };
        }
        let breaks = match dice.random_range(0..100) {
            0..4 => return Self::Refuse(500),
            4..6 => return Self::Refuse(503),
            6..10 => return Self::Refuse(429),
            10..14 => return Self::Reset,
            14..15 => return Self::Hang,
            15..20 => Break::Reset,
            20..23 => Break::Stall,
            23..25 => Break::Early,
            _ => Break::Not,
        };
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let outputs = messages.iter().rev().take_while(|message| message["role"] != "user");
        let may_call = request["tools"].is_array() && outputs.count() <= 2 * TOOL_CALLS;
        let calls = if may_call && dice.random_ratio(1, 3) { dice.random_range(1..=TOOL_CALLS) } else { 0 };
        // With calls, a model may speak too.
        let mut deltas = match calls == 0 || dice.random_ratio(1, 4) {
            true => said(&answer::words(number(), dice.random_range(1..40))),
            false => Vec::new(),
        };
        for index in 0..calls {
            deltas.extend(called(index, number()));
        }
        let mut frames = frames(&deltas, if calls > 0 { "tool_calls" } else { "stop" });
        if breaks != Break::Not {
            frames.truncate(dice.random_range(0..=deltas.len()));
        }
        let slow = dice.random_ratio(2, 3);
        let pace = if slow { dice.random_range(20..120) } else { 0 };
        Self::Answer { frames, pace: Duration::from_millis(pace), breaks }
    }
}

/// Which client a conversation is of: its messages begin with `client-7 `.
pub(super) fn client(messages: &[Value]) -> Option<usize> {
    let user = messages.iter().rev().find(|message| message["role"] == "user")?;
    let content = &user["content"];
    let text = content.as_str().or_else(|| content[0]["text"].as_str())?;
    text.strip_prefix("client-")?.split(' ').next()?.parse().ok()
}

fn said(words: &[String]) -> Vec<Value> {
    words.iter().map(|word| json!({"content": word})).collect()
}

/// A tool call in pieces.
fn called(index: usize, number: u64) -> Vec<Value> {
    let begin = json!({"index": index, "id": format!("call_{number}"), "type": "function",
        "function": {"name": "measure", "arguments": ""}});
    let pieces = ["{\"rope\":", " \"long\"}"];
    let rest = pieces.map(|piece| json!({"index": index, "function": {"arguments": piece}}));
    std::iter::once(begin).chain(rest).map(|call| json!({"tool_calls": [call]})).collect()
}

fn frames(deltas: &[Value], finish: &str) -> Vec<Bytes> {
    let frame = |delta: &Value, finish: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-chaos", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "chaos",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage,
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut frames: Vec<Bytes> = deltas.iter().map(|delta| frame(delta, Value::Null, Value::Null)).collect();
    let usage =
        json!({"prompt_tokens": 9, "completion_tokens": deltas.len(), "total_tokens": deltas.len() + 9});
    frames.push(frame(&json!({}), finish.into(), usage));
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}
