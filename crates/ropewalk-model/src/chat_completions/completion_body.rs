//! A [`ModelRequest`] as the body of `POST /chat/completions`, borrowed: no history is copied to be sent.

use std::borrow::Cow;

use ropewalk_types::{
    Function, ImageDetail, ReasoningEffort, ResponseFormat, ToolCall, ToolChoice, ToolChoiceMode,
};
use serde::{Serialize, Serializer};

use crate::{ChatMessage, ChatPart, ModelRequest};

/// What the API takes for granted is left out: reasoning models and small servers refuse many parameters, even
/// when they are set to their default.
#[derive(Serialize)]
pub(crate) struct CompletionBody<'a> {
    model: &'a str,
    #[serde(serialize_with = "each_message")]
    messages: &'a [ChatMessage],
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "each_function")]
    tools: &'a [Function],
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'a ResponseFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a ReasoningEffort>,
}

impl<'a> From<&'a ModelRequest> for CompletionBody<'a> {
    fn from(request: &'a ModelRequest) -> Self {
        let has_tools = !request.tools.is_empty();
        Self {
            model: request.model.as_str(),
            messages: &request.messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: &request.tools,
            tool_choice: request.tool_choice.as_ref().filter(|_| has_tools).and_then(Choice::unless_default),
            parallel_tool_calls: request.parallel_tool_calls.filter(|parallel| has_tools && !parallel),
            temperature: request.temperature.filter(|temperature| *temperature != 1.0),
            top_p: request.top_p.filter(|top_p| *top_p != 1.0),
            max_completion_tokens: request.max_completion_tokens,
            response_format: request.response_format.as_ref().filter(|form| !is_auto(form)),
            reasoning_effort: request.reasoning_effort.as_ref(),
        }
    }
}

fn is_auto(form: &ResponseFormat) -> bool {
    matches!(form, ResponseFormat::Word(word) if word == "auto")
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Mode(ToolChoiceMode),
    Function(TypedFunction<Name<'a>>),
}

impl<'a> Choice<'a> {
    fn unless_default(choice: &'a ToolChoice) -> Option<Self> {
        match choice {
            ToolChoice::Mode(ToolChoiceMode::Auto) => None,
            ToolChoice::Mode(mode) => Some(Self::Mode(*mode)),
            // A tool of the server itself is offered to the model as a function of the same name.
            ToolChoice::Named(named) => {
                let name = named.function.as_ref().map_or(&named.kind, |function| &function.name);
                Some(Self::Function(TypedFunction::new(Name { name })))
            }
        }
    }
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct TypedFunction<F> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: F,
}

impl<F> TypedFunction<F> {
    fn new(function: F) -> Self {
        Self { kind: "function", function }
    }
}

fn each_function<S: Serializer>(functions: &&[Function], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(functions.iter().map(TypedFunction::new))
}

fn each_message<S: Serializer>(messages: &&[ChatMessage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(WireMessage::from))
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum WireMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        tool_calls: &'a [ToolCall],
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

impl<'a> From<&'a ChatMessage> for WireMessage<'a> {
    fn from(message: &'a ChatMessage) -> Self {
        match message {
            ChatMessage::System(text) => Self::System { content: text },
            // Many local servers read nothing but a plain string, so it stays one where it can.
            ChatMessage::User(parts) => Self::User {
                content: match parts.as_slice() {
                    [ChatPart::Text(text)] => Content::Text(text),
                    parts => Content::Parts(parts.iter().map(Part::from).collect()),
                },
            },
            ChatMessage::Assistant { text, tool_calls } => Self::Assistant {
                content: text.as_deref().or(tool_calls.is_empty().then_some("")),
                tool_calls,
            },
            ChatMessage::Tool { call, output } => Self::Tool { tool_call_id: call.as_str(), content: output },
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Image<'a> },
}

#[derive(Serialize)]
struct Image<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<ImageDetail>,
}

impl<'a> From<&'a ChatPart> for Part<'a> {
    fn from(part: &'a ChatPart) -> Self {
        match part {
            ChatPart::Text(text) => Self::Text { text: text.into() },
            ChatPart::ImageFile { file, .. } => Self::Text { text: format!("[image file {file}]").into() },
            ChatPart::ImageUrl { url, detail } => {
                Self::ImageUrl { image_url: Image { url, detail: *detail } }
            }
        }
    }
}
