use ropewalk_types::Usage;

/// One thing that a model said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// More text of the answer; never empty.
    Text(String),
    /// More text of why it does not answer; never empty.
    Refusal(String),
    /// More of a tool call.
    ToolCall(ToolCallPart),
    /// What the completion cost.
    Usage(Usage),
    /// The end.
    Finish(FinishReason),
}

/// A part of a tool call. All parts with one `index` are one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCallPart {
    /// Which call of this answer, from 0.
    pub index: u32,
    /// The call's id, once; in no part at all if the server gave none.
    pub id: Option<String>,
    /// The function's name, once.
    pub name: Option<String>,
    /// More of the arguments' JSON, as the model wrote it: not always valid.
    pub arguments: String,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// It said all that it had to say.
    Stop,
    /// It reached a limit of tokens.
    Length,
    /// It waits for the outputs of its calls.
    ToolCalls,
    /// A filter cut it off.
    ContentFilter,
    /// A reason newer than this crate, word for word.
    Other(String),
}

impl FinishReason {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for FinishReason {
    fn from(word: String) -> Self {
        match word.as_str() {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool_calls" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other(word),
        }
    }
}
