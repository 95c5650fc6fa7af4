//! What the scripted model does with a request.

use ropewalk_types::{Function, ToolCall, ToolChoice, ToolChoiceMode, Usage};
use serde_json::Value;

use super::{answer, arguments::propose, words};
use crate::{ChatMessage, ChatPart, FinishReason, ModelEvent, ModelRequest, ToolCallPart};

/// Most characters of the user's text that it looks at.
const MAX_READ: usize = 4_000;

/// The last thing that the user said, and what happened since.
pub(super) struct Exchange<'a> {
    pub(super) text: String,
    /// Each call with its output, once it has one.
    pub(super) calls: Vec<(&'a ToolCall, Option<&'a str>)>,
}

impl<'a> Exchange<'a> {
    fn of(messages: &'a [ChatMessage]) -> Self {
        let mut exchange = Self { text: String::new(), calls: Vec::new() };
        for message in messages {
            match message {
                ChatMessage::System(_) => {}
                ChatMessage::User(parts) => {
                    exchange = Self { text: text(parts).chars().take(MAX_READ).collect(), calls: Vec::new() };
                }
                ChatMessage::Assistant { tool_calls, .. } => {
                    exchange.calls.extend(tool_calls.iter().map(|call| (call, None)));
                }
                ChatMessage::Tool { call: id, output } => {
                    let call = exchange.calls.iter_mut().rev().find(|(call, _)| call.id == *id);
                    call.into_iter().for_each(|(_, slot)| *slot = Some(output));
                }
            }
        }
        exchange
    }

    fn has_made(&self, name: &str, arguments: &Value) -> bool {
        self.calls.iter().any(|(call, _)| {
            call.function.name == name
                && call.function.arguments.parse::<Value>().is_ok_and(|made| made == *arguments)
        })
    }
}

fn text(parts: &[ChatPart]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        ChatPart::Text(text) => Some(text.as_str()),
        ChatPart::ImageUrl { .. } | ChatPart::ImageFile { .. } => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// The whole answer: the calls that the user's text asks for and that were not made yet, or else a text.
pub(super) fn reply(request: &ModelRequest) -> Vec<ModelEvent> {
    let exchange = Exchange::of(&request.messages);
    let calls = calls(request, &exchange);
    let id = |index: u32| format!("call_scripted_{}_{index}", request.messages.len());
    let mut events: Vec<ModelEvent> =
        calls.iter().zip(0..).flat_map(|(call, index)| parts(call, index, id(index))).collect();
    let mut finish = FinishReason::ToolCalls;
    if calls.is_empty() {
        let max =
            request.max_completion_tokens.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        events.extend(words::pieces(&answer::text(&exchange)).map(|word| ModelEvent::Text(word.to_owned())));
        finish = if events.len() > max { FinishReason::Length } else { FinishReason::Stop };
        events.truncate(max);
    }
    let usage = usage(request, &events);
    events.extend([ModelEvent::Usage(usage), ModelEvent::Finish(finish)]);
    events
}

fn calls<'a>(request: &'a ModelRequest, exchange: &Exchange<'_>) -> Vec<(&'a Function, Value)> {
    let is_first = exchange.calls.is_empty();
    let (wanted, forced) = match &request.tool_choice {
        Some(ToolChoice::Mode(ToolChoiceMode::None)) => return Vec::new(),
        Some(ToolChoice::Mode(ToolChoiceMode::Required)) => (None, is_first),
        Some(ToolChoice::Named(named)) => {
            (Some(named.function.as_ref().map_or(&named.kind, |function| &function.name)), is_first)
        }
        Some(ToolChoice::Mode(ToolChoiceMode::Auto)) | None => (None, false),
    };
    let offered = || request.tools.iter().filter(|function| wanted.is_none_or(|name| function.name == *name));
    let proposals = |forced| {
        offered().filter_map(move |function| {
            propose(function, &exchange.text, forced).map(|calls| (function, calls))
        })
    };
    // `rev`, because the first of equals shall win.
    let best =
        proposals(false).collect::<Vec<_>>().into_iter().rev().max_by_key(|(_, proposal)| proposal.hints);
    let Some((function, proposal)) = best.or_else(|| proposals(true).next().filter(|_| forced)) else {
        return Vec::new();
    };
    let new = proposal.calls.into_iter().filter(|arguments| !exchange.has_made(&function.name, arguments));
    let most = if request.parallel_tool_calls == Some(false) { 1 } else { usize::MAX };
    new.take(most).map(|arguments| (function, arguments)).collect()
}

/// A call in parts, as models stream it: its head first, then its arguments piece by piece.
fn parts((function, arguments): &(&Function, Value), index: u32, id: String) -> Vec<ModelEvent> {
    let head =
        ToolCallPart { index, id: Some(id), name: Some(function.name.clone()), arguments: String::new() };
    let json = arguments.to_string();
    let pieces = json.split_inclusive([':', ',']);
    let more =
        pieces.map(|piece| ToolCallPart { index, arguments: piece.to_owned(), ..ToolCallPart::default() });
    std::iter::once(head).chain(more).map(ModelEvent::ToolCall).collect()
}

fn usage(request: &ModelRequest, events: &[ModelEvent]) -> Usage {
    let prompt_tokens = request.messages.iter().map(|message| match message {
        ChatMessage::System(text) | ChatMessage::Tool { output: text, .. } => words::count(text),
        ChatMessage::User(parts) => words::count(&text(parts)),
        ChatMessage::Assistant { text, tool_calls } => {
            words::count(text.as_deref().unwrap_or_default()) + tool_calls.len() as u64
        }
    });
    let (prompt_tokens, completion_tokens) = (prompt_tokens.sum(), events.len() as u64);
    Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
