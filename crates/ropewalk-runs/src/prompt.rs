//! How many tokens a model is shown, and what is left out so that it is not too many.

use std::ops::Range;

use ropewalk_model::{ChatMessage, ChatPart, ModelRequest};
use ropewalk_tokens::Encoding;
use ropewalk_types::{ImageDetail, ResponseFormat, TypedResponseFormat};

/// Tokens that a chat template puts around each message, and ahead of the answer.
const AROUND_MESSAGE: usize = 4;
const AROUND_TOOL: usize = 8;
const AHEAD_OF_ANSWER: usize = 3;
/// What a picture costs: the lowest detail, and the largest picture at any other. Its size is not known here.
const SMALL_IMAGE: usize = 85;
const LARGE_IMAGE: usize = 1105;

/// Leaves messages of `request` out until the rest has `limit` tokens at most; gives how many that are, or `None`
/// if not even the instructions, the tools and the newest message fit.
///
/// What stays besides these: first the messages back to the newest one of the user, then the first of the thread,
/// which often says what it is about, then the others, the newest first. So what goes is the middle, as the API says
/// of `auto`. A call stays with its answers. What a model's host adds around messages, tools and pictures is
/// an estimate.
pub(crate) fn fit(request: &mut ModelRequest, limit: u64) -> Option<u64> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let encoding = Encoding::for_model(request.model.as_str());
    let mut left = Left { encoding, tokens: limit };
    left.take_all_but_messages(request)?;
    let units = units(&request.messages);
    let instructions = matches!(request.messages.first(), Some(ChatMessage::System(_)));
    if instructions {
        left.take_messages(&request.messages[..1])?;
    }
    let units = &units[usize::from(instructions)..];

    let (mut tail, mut opening, mut asked) = (units.len(), false, false);
    for (position, unit) in units.iter().enumerate().rev() {
        if position == 0 && opening {
            break;
        }
        let messages = &request.messages[unit.clone()];
        match left.take_messages(messages) {
            Some(()) => tail = position,
            None if position + 1 == units.len() => return None,
            None => break,
        }
        if !asked && position > 0 && matches!(messages, [ChatMessage::User(_)]) {
            asked = true;
            opening = left.take_messages(&request.messages[units[0].clone()]).is_some();
        }
    }
    if let (Some(first), Some(begin)) = (units.get(usize::from(opening)), units.get(tail)) {
        request.messages.drain(first.start.min(begin.start)..begin.start);
    }
    Some((limit - left.tokens) as u64)
}

/// What stays or goes together: a call and its answers, or one message. The first is the instructions if there are
/// any.
fn units(messages: &[ChatMessage]) -> Vec<Range<usize>> {
    let mut units: Vec<Range<usize>> = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        match units.last_mut().filter(|_| matches!(message, ChatMessage::Tool { .. })) {
            Some(unit) => unit.end = position + 1,
            None => units.push(position..position + 1),
        }
    }
    units
}

/// The tokens that are not spent yet.
struct Left {
    encoding: Encoding,
    tokens: usize,
}

impl Left {
    /// Spends what `messages` cost, or nothing if that is more than is left.
    fn take_messages(&mut self, messages: &[ChatMessage]) -> Option<()> {
        let before = self.tokens;
        let taken = messages.iter().try_for_each(|message| self.take_message(message));
        if taken.is_none() {
            self.tokens = before;
        }
        taken
    }

    fn take_message(&mut self, message: &ChatMessage) -> Option<()> {
        self.take(AROUND_MESSAGE)?;
        match message {
            ChatMessage::System(text) => self.take_text(text),
            ChatMessage::User(parts) => parts.iter().try_for_each(|part| match part {
                ChatPart::Text(text) => self.take_text(text),
                ChatPart::ImageUrl { detail, .. } | ChatPart::ImageFile { detail, .. } => {
                    self.take(if *detail == Some(ImageDetail::Low) { SMALL_IMAGE } else { LARGE_IMAGE })
                }
            }),
            ChatMessage::Assistant { text, tool_calls } => {
                self.take_text(text.as_deref().unwrap_or_default())?;
                tool_calls.iter().try_for_each(|call| {
                    self.take(AROUND_TOOL)?;
                    self.take_text(&call.function.name)?;
                    self.take_text(&call.function.arguments)
                })
            }
            ChatMessage::Tool { call, output } => {
                self.take_text(call.as_str())?;
                self.take_text(output)
            }
            // A kind that is newer than this: its words are unknown.
            _ => Some(()),
        }
    }

    fn take_all_but_messages(&mut self, request: &ModelRequest) -> Option<()> {
        self.take(AHEAD_OF_ANSWER)?;
        for tool in &request.tools {
            self.take(AROUND_TOOL)?;
            self.take_text(&serde_json::to_string(tool).unwrap_or_default())?;
        }
        match &request.response_format {
            Some(ResponseFormat::Typed(TypedResponseFormat::JsonSchema { json_schema })) => {
                self.take_text(&serde_json::to_string(json_schema).unwrap_or_default())
            }
            _ => Some(()),
        }
    }

    fn take_text(&mut self, text: &str) -> Option<()> {
        let tokens = self.encoding.count_up_to(text, self.tokens)?;
        self.take(tokens)
    }

    fn take(&mut self, tokens: usize) -> Option<()> {
        self.tokens = self.tokens.checked_sub(tokens)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use ropewalk_types::{Function, FunctionCall, FunctionWord, ToolCall};

    use super::*;

    fn call(id: usize) -> ToolCall {
        let function = FunctionCall { name: "f".to_owned(), arguments: "{}".to_owned() };
        ToolCall { id: format!("call_{id}").into(), kind: FunctionWord::Word, function }
    }

    /// A conversation in which every message can be told from the others.
    fn conversation() -> impl Strategy<Value = ModelRequest> {
        let turn = prop_oneof![
            3 => "[a-z ]{0,40}".prop_map(|text| (0, text)),
            2 => "[a-z ]{0,40}".prop_map(|text| (1, text)),
            2 => "[a-z ]{0,40}".prop_map(|text| (2, text)),
        ];
        (any::<bool>(), any::<bool>(), vec(turn, 1..16)).prop_map(|(instructed, tool, turns)| {
            let mut request = ModelRequest::new("gpt-4o");
            if instructed {
                request.messages.push(ChatMessage::System("Be brief.".to_owned()));
            }
            if tool {
                request.tools.push(Function::new("f"));
            }
            for (id, (kind, text)) in turns.into_iter().enumerate() {
                let text = format!("{id}: {text}");
                match kind {
                    0 => request.messages.push(ChatMessage::user(text)),
                    1 => request.messages.push(ChatMessage::assistant(text)),
                    _ => {
                        let tool_calls = vec![call(2 * id), call(2 * id + 1)];
                        let answers: Vec<_> = tool_calls.iter().map(|call| call.id.clone()).collect();
                        request.messages.push(ChatMessage::Assistant { text: None, tool_calls });
                        request.messages.extend(
                            answers.into_iter().map(|call| ChatMessage::Tool { call, output: text.clone() }),
                        );
                    }
                }
            }
            request
        })
    }

    fn tokens(request: &ModelRequest) -> u64 {
        fit(&mut request.clone(), 1_000_000).unwrap()
    }

    proptest! {
        /// Never over the limit; the newest and the instructions stay; the order stays; a call stays with its answers;
        /// what fits is left alone; and what is left out is one stretch.
        #[test]
        fn what_is_shown_fits_and_hangs_together(request in conversation(), limit in 0..400_u64) {
            let whole = tokens(&request);
            let mut cut = request.clone();
            let Some(used) = fit(&mut cut, limit) else {
                let units = units(&request.messages);
                let newest = units.last().unwrap().clone();
                let mut least = request.clone();
                let head = usize::from(matches!(request.messages[0], ChatMessage::System(_)));
                least.messages.drain(head..newest.start);
                prop_assert!(tokens(&least) > limit);
                return Ok(());
            };
            prop_assert!(used <= limit);
            prop_assert_eq!(used, tokens(&cut));
            prop_assert_eq!(whole <= limit, cut == request);
            prop_assert_eq!(cut.messages.last(), request.messages.last());
            prop_assert_eq!(cut.messages.first().filter(|first| matches!(first, ChatMessage::System(_))),
                request.messages.first().filter(|first| matches!(first, ChatMessage::System(_))));
            // One stretch is gone: a beginning and an end of what was there.
            let same = request.messages.iter().zip(&cut.messages).take_while(|(one, other)| one == other).count();
            let rest = &cut.messages[same..];
            prop_assert!(request.messages.ends_with(rest));
            let torn = matches!(rest.first(), Some(ChatMessage::Tool { .. }));
            prop_assert!(!torn);
            let calls = cut.messages.iter().map(|message| match message {
                ChatMessage::Assistant { tool_calls, .. } => tool_calls.len(),
                _ => 0,
            });
            let answers = cut.messages.iter().filter(|message| matches!(message, ChatMessage::Tool { .. }));
            prop_assert_eq!(calls.sum::<usize>(), answers.count());
        }
    }

    #[test]
    fn the_first_message_and_the_newest_outlive_the_middle() {
        let mut request = ModelRequest::new("gpt-4o").message(ChatMessage::System("Be brief.".to_owned()));
        for n in 0..50 {
            request.messages.push(ChatMessage::user(format!("question {n}")));
            request.messages.push(ChatMessage::assistant(format!("answer {n}")));
        }
        request.messages.push(ChatMessage::user("the newest question"));
        fit(&mut request, 60).unwrap();
        assert_eq!(request.messages[1], ChatMessage::user("question 0"));
        assert_eq!(request.messages.last(), Some(&ChatMessage::user("the newest question")));
        assert!(request.messages.len() > 4 && request.messages.len() < 12, "{:?}", request.messages);
    }
}
