//! A Chat Completions request as a [`ModelRequest`].

use ropewalk_types::{
    Function, ImageDetail, ModelId, ReasoningEffort, ResponseFormat, ToolCall, ToolCallId, ToolChoice,
};
use serde::Deserialize;

use crate::{ChatMessage, ChatPart, ModelRequest};

/// Fields that no [`ModelRequest`] has are passed over, as small servers do.
#[derive(Deserialize)]
pub(super) struct Asked {
    model: ModelId,
    messages: Vec<Message>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<ToolChoice>,
    parallel_tool_calls: Option<bool>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    response_format: Option<ResponseFormat>,
    reasoning_effort: Option<ReasoningEffort>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tool {
    Function { function: Function },
}

#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Message {
    #[serde(alias = "developer")]
    System {
        content: Content,
    },
    User {
        content: Content,
    },
    Assistant {
        content: Option<Content>,
        tool_calls: Option<Vec<ToolCall>>,
    },
    Tool {
        tool_call_id: ToolCallId,
        content: Content,
    },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "content is a text or a list of parts")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    Refusal { refusal: String },
    ImageUrl { image_url: Image },
}

#[derive(Deserialize)]
struct Image {
    url: String,
    detail: Option<ImageDetail>,
}

impl Asked {
    /// Whether the reply is a stream.
    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or_default()
    }

    /// Whether a stream tells its usage.
    pub(super) fn tells_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or_default()
    }
}

impl From<Asked> for ModelRequest {
    fn from(asked: Asked) -> Self {
        let tools = asked.tools.into_iter().flatten().map(|Tool::Function { function }| function);
        Self {
            model: asked.model,
            messages: asked.messages.into_iter().map(Into::into).collect(),
            tools: tools.collect(),
            tool_choice: asked.tool_choice,
            parallel_tool_calls: asked.parallel_tool_calls,
            temperature: asked.temperature,
            top_p: asked.top_p,
            max_completion_tokens: asked.max_completion_tokens.or(asked.max_tokens),
            response_format: asked.response_format,
            reasoning_effort: asked.reasoning_effort,
        }
    }
}

impl From<Message> for ChatMessage {
    fn from(message: Message) -> Self {
        match message {
            Message::System { content } => Self::System(content.into_text()),
            Message::User { content } => Self::User(content.into_parts()),
            Message::Assistant { content, tool_calls } => Self::Assistant {
                text: content.map(Content::into_text),
                tool_calls: tool_calls.unwrap_or_default(),
            },
            Message::Tool { tool_call_id, content } => {
                Self::Tool { call: tool_call_id, output: content.into_text() }
            }
        }
    }
}

impl Content {
    fn into_parts(self) -> Vec<ChatPart> {
        let parts = match self {
            Self::Text(text) => return vec![ChatPart::Text(text)],
            Self::Parts(parts) => parts,
        };
        let part = |part| match part {
            Part::Text { text } | Part::Refusal { refusal: text } => ChatPart::Text(text),
            Part::ImageUrl { image_url: Image { url, detail } } => ChatPart::ImageUrl { url, detail },
        };
        parts.into_iter().map(part).collect()
    }

    fn into_text(self) -> String {
        let text = |part| match part {
            ChatPart::Text(text) => Some(text),
            ChatPart::ImageUrl { .. } | ChatPart::ImageFile { .. } => None,
        };
        self.into_parts().into_iter().filter_map(text).collect()
    }
}
