use ropewalk_types::{
    FileId, Function, ImageDetail, ModelId, ReasoningEffort, ResponseFormat, ToolCall, ToolCallId, ToolChoice,
};

/// What a model is asked: the conversation so far, the functions it may call, and how to answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelRequest {
    /// Which model.
    pub model: ModelId,
    /// The conversation, oldest first.
    pub messages: Vec<ChatMessage>,
    /// The functions it may call.
    pub tools: Vec<Function>,
    /// Which function it must, may or must not call; the model decides if absent.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may ask for several calls at once; it may if absent.
    pub parallel_tool_calls: Option<bool>,
    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    pub top_p: Option<f64>,
    /// Most tokens it may write.
    pub max_completion_tokens: Option<u64>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    pub reasoning_effort: Option<ReasoningEffort>,
}

impl ModelRequest {
    /// An empty conversation with `model`, everything else by default.
    pub fn new(model: impl Into<ModelId>) -> Self {
        Self {
            model: model.into(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            temperature: None,
            top_p: None,
            max_completion_tokens: None,
            response_format: None,
            reasoning_effort: None,
        }
    }

    /// Adds a message at the end.
    #[must_use]
    pub fn message(mut self, message: ChatMessage) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds a function that it may call.
    #[must_use]
    pub fn tool(mut self, function: Function) -> Self {
        self.tools.push(function);
        self
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChatMessage {
    /// What the model is told first.
    System(String),
    /// What somebody said to the model.
    User(Vec<ChatPart>),
    /// What the model said.
    Assistant {
        /// Its text, if it wrote any.
        text: Option<String>,
        /// Its calls, if it made any; their outputs follow as [`ChatMessage::Tool`].
        tool_calls: Vec<ToolCall>,
    },
    /// What a call gave.
    Tool {
        /// Which call.
        call: ToolCallId,
        /// JSON by custom.
        output: String,
    },
}

impl ChatMessage {
    /// A text that somebody said to the model.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(vec![ChatPart::Text(text.into())])
    }

    /// A text that the model said.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant { text: Some(text.into()), tool_calls: Vec::new() }
    }
}

/// A part of what somebody said to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatPart {
    /// Text.
    Text(String),
    /// A picture.
    ImageUrl {
        /// Where it is; a `data:` URL holds it whole.
        url: String,
        /// How closely to look; the model decides if absent.
        detail: Option<ImageDetail>,
    },
    /// A picture that the caller keeps as a file. Whoever has the bytes puts them in its place; a model that is
    /// asked with it is told the file's id alone.
    ImageFile {
        /// Which file.
        file: FileId,
        /// How closely to look; the model decides if absent.
        detail: Option<ImageDetail>,
    },
}
