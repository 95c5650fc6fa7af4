use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AssistantId, CreateMessage, CreateThread, Metadata, ModelId, ReasoningEffort, ResponseFormat, RunId,
    RunWord, SubmitToolOutputsWord, ThreadId, Tool, ToolCall, ToolCallId, ToolChoice, ToolResources,
    UnixSeconds, Update,
};

/// One execution of an assistant on a thread; `thread.run` on the wire.
///
/// Times are Unix seconds, UTC. A `None` field travels as an explicit `null`, because clients of the API test
/// for the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Run {
    /// Starts with `run_`; unique within a server.
    pub id: RunId,
    /// `thread.run`.
    #[serde(default)]
    pub object: RunWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// The thread it runs on.
    pub thread_id: ThreadId,
    /// The assistant that runs.
    pub assistant_id: AssistantId,
    /// Where it stands.
    pub status: RunStatus,
    /// What the caller has to do before it goes on.
    pub required_action: Option<RequiredAction>,
    /// Why it failed.
    pub last_error: Option<LastError>,
    /// When an unfinished run turns `expired`; `null` once it is over.
    pub expires_at: Option<UnixSeconds>,
    /// When a worker took it up last.
    pub started_at: Option<UnixSeconds>,
    /// When it was cancelled.
    pub cancelled_at: Option<UnixSeconds>,
    /// When it failed.
    pub failed_at: Option<UnixSeconds>,
    /// When it was done.
    pub completed_at: Option<UnixSeconds>,
    /// Why it ended before it was done.
    pub incomplete_details: Option<RunIncompleteDetails>,
    /// The model that answers.
    pub model: ModelId,
    /// What the model is told first.
    pub instructions: String,
    /// The tools of this run.
    pub tools: Vec<Tool>,
    /// Notes of the caller.
    #[serde(default)]
    pub metadata: Option<Metadata>,
    /// What its model calls cost in all; `null` until it is over.
    pub usage: Option<Usage>,
    /// Randomness, 0 to 2.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default)]
    pub top_p: Option<f64>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    pub parallel_tool_calls: bool,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
}

impl Run {
    /// A queued run with the API's defaults.
    pub fn new(
        id: RunId,
        thread_id: ThreadId,
        assistant_id: AssistantId,
        model: ModelId,
        created_at: UnixSeconds,
        expires_at: UnixSeconds,
    ) -> Self {
        Self {
            id,
            object: RunWord::Word,
            created_at,
            thread_id,
            assistant_id,
            status: RunStatus::Queued,
            required_action: None,
            last_error: None,
            expires_at: Some(expires_at),
            started_at: None,
            cancelled_at: None,
            failed_at: None,
            completed_at: None,
            incomplete_details: None,
            model,
            instructions: String::new(),
            tools: Vec::new(),
            metadata: Some(Metadata::new()),
            usage: None,
            temperature: Some(1.0),
            top_p: Some(1.0),
            max_prompt_tokens: None,
            max_completion_tokens: None,
            truncation_strategy: Some(TruncationStrategy::default()),
            tool_choice: Some(ToolChoice::default()),
            parallel_tool_calls: true,
            response_format: Some(ResponseFormat::auto()),
            reasoning_effort: None,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Waiting for a worker.
    Queued,
    /// A worker is at it.
    InProgress,
    /// Waiting for tool outputs.
    RequiresAction,
    /// Asked to stop, not stopped yet.
    Cancelling,
    /// Stopped because it was asked to.
    Cancelled,
    /// Stopped by a fault; see `last_error`.
    Failed,
    /// Done.
    Completed,
    /// Stopped by a limit; see `incomplete_details`.
    Incomplete,
    /// Stopped by the clock.
    Expired,
    /// A status newer than this crate, kept word for word so a proxy can pass it on.
    #[serde(untagged)]
    Unknown(String),
}

impl RunStatus {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::RequiresAction => "requires_action",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Expired => "expired",
            Self::Unknown(word) => word,
        }
    }

    /// Whether the run is over: its status never changes again and its thread is free.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::Completed | Self::Incomplete | Self::Expired)
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the caller has to do before a run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequiredAction {
    /// `submit_tool_outputs`.
    #[serde(rename = "type", default)]
    pub kind: SubmitToolOutputsWord,
    /// The calls to answer.
    pub submit_tool_outputs: SubmitToolOutputsAction,
}

impl RequiredAction {
    /// Asks for the outputs of `tool_calls`.
    pub fn submit_tool_outputs(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            kind: SubmitToolOutputsWord::Word,
            submit_tool_outputs: SubmitToolOutputsAction { tool_calls },
        }
    }
}

/// The calls to answer, all in one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitToolOutputsAction {
    /// The calls.
    pub tool_calls: Vec<ToolCall>,
}

/// Why a run or a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastError {
    /// For programs.
    pub code: LastErrorCode,
    /// For people.
    pub message: String,
}

/// What kind of fault ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LastErrorCode {
    /// The server or the model's host broke.
    ServerError,
    /// The model's host allows no more for now.
    RateLimitExceeded,
    /// The model's host refused the prompt.
    InvalidPrompt,
    /// A code newer than this crate, kept word for word.
    #[serde(untagged)]
    Unknown(String),
}

/// Why a run ended before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunIncompleteDetails {
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunIncompleteReason>,
}

/// Why a run ended before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunIncompleteReason {
    /// The model wrote as much as it may.
    MaxCompletionTokens,
    /// The model was shown as much as it may.
    MaxPromptTokens,
    /// A reason newer than this crate, kept word for word.
    #[serde(untagged)]
    Unknown(String),
}

/// Tokens that model calls cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Shown to the model.
    pub prompt_tokens: u64,
    /// Written by the model.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
    }
}

/// How much of a thread the model is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TruncationStrategy {
    /// The rule.
    #[serde(rename = "type")]
    pub kind: TruncationKind,
    /// How many messages, for [`TruncationKind::LastMessages`]; at least 1.
    #[serde(default)]
    pub last_messages: Option<u64>,
}

impl Default for TruncationStrategy {
    fn default() -> Self {
        Self { kind: TruncationKind::Auto, last_messages: None }
    }
}

/// The rule by which a thread is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TruncationKind {
    /// As much as fits.
    Auto,
    /// The newest messages.
    LastMessages,
}

/// What a run may set in place of its assistant; an absent field is as the assistant says.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunOptions {
    /// Another model.
    pub model: Option<ModelId>,
    /// Other instructions.
    pub instructions: Option<String>,
    /// Other tools.
    pub tools: Option<Vec<Tool>>,
    /// Notes of the caller.
    pub metadata: Option<Metadata>,
    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    pub top_p: Option<f64>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    pub reasoning_effort: Option<ReasoningEffort>,
}

/// Runs an assistant on a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateRun {
    /// Which assistant.
    pub assistant_id: AssistantId,
    /// Another model than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// Other instructions than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Instructions to append to those in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_instructions: Option<String>,
    /// Messages to add to the thread first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_messages: Option<Vec<CreateMessage>>,
    /// Other tools than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Whether the reply is an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
}

impl CreateRun {
    /// A run of `assistant`, everything else as the assistant says.
    pub fn new(assistant: impl Into<AssistantId>) -> Self {
        Self {
            assistant_id: assistant.into(),
            model: None,
            instructions: None,
            additional_instructions: None,
            additional_messages: None,
            tools: None,
            metadata: None,
            temperature: None,
            top_p: None,
            stream: None,
            max_prompt_tokens: None,
            max_completion_tokens: None,
            truncation_strategy: None,
            tool_choice: None,
            parallel_tool_calls: None,
            response_format: None,
            reasoning_effort: None,
        }
    }

    /// Replaces the assistant's instructions.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Adds a message to the thread first.
    #[must_use]
    pub fn additional_message(mut self, message: CreateMessage) -> Self {
        self.additional_messages.get_or_insert_default().push(message);
        self
    }

    /// Caps what the model may write over the whole run, in tokens; at least 256.
    #[must_use]
    pub fn max_completion_tokens(mut self, tokens: u64) -> Self {
        self.max_completion_tokens = Some(tokens);
        self
    }

    /// Says which tool the model must, may or must not call.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Adds notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// What it sets in place of its assistant.
    pub fn options(&self) -> RunOptions {
        RunOptions {
            model: self.model.clone(),
            instructions: self.instructions.clone(),
            tools: self.tools.clone(),
            metadata: self.metadata.clone(),
            temperature: self.temperature,
            top_p: self.top_p,
            max_prompt_tokens: self.max_prompt_tokens,
            max_completion_tokens: self.max_completion_tokens,
            truncation_strategy: self.truncation_strategy.clone(),
            tool_choice: self.tool_choice.clone(),
            parallel_tool_calls: self.parallel_tool_calls,
            response_format: self.response_format.clone(),
            reasoning_effort: self.reasoning_effort.clone(),
        }
    }
}

/// Makes a thread and runs an assistant on it, in one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateThreadAndRun {
    /// Which assistant.
    pub assistant_id: AssistantId,
    /// The thread to make; an empty one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<CreateThread>,
    /// Another model than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// Other instructions than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Other tools than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Files and vector stores of the new thread's tools, if `thread` names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Whether the reply is an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
}

impl CreateThreadAndRun {
    /// A run of `assistant` on a new thread, everything else as the assistant says.
    pub fn new(assistant: impl Into<AssistantId>, thread: CreateThread) -> Self {
        Self {
            assistant_id: assistant.into(),
            thread: Some(thread),
            model: None,
            instructions: None,
            tools: None,
            tool_resources: None,
            metadata: None,
            temperature: None,
            top_p: None,
            stream: None,
            max_prompt_tokens: None,
            max_completion_tokens: None,
            truncation_strategy: None,
            tool_choice: None,
            parallel_tool_calls: None,
            response_format: None,
        }
    }

    /// What it sets in place of its assistant.
    pub fn options(&self) -> RunOptions {
        RunOptions {
            model: self.model.clone(),
            instructions: self.instructions.clone(),
            tools: self.tools.clone(),
            metadata: self.metadata.clone(),
            temperature: self.temperature,
            top_p: self.top_p,
            max_prompt_tokens: self.max_prompt_tokens,
            max_completion_tokens: self.max_completion_tokens,
            truncation_strategy: self.truncation_strategy.clone(),
            tool_choice: self.tool_choice.clone(),
            parallel_tool_calls: self.parallel_tool_calls,
            response_format: self.response_format.clone(),
            reasoning_effort: None,
        }
    }
}

/// Changes the notes on a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyRun {
    /// Replaces the notes as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub metadata: Update<Metadata>,
}

impl ModifyRun {
    /// Replaces the notes.
    pub fn new(metadata: Metadata) -> Self {
        Self { metadata: metadata.into() }
    }
}

/// Answers all calls that a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SubmitToolOutputs {
    /// One for each call.
    pub tool_outputs: Vec<ToolOutput>,
    /// Whether the reply is an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
}

impl SubmitToolOutputs {
    /// Answers with `tool_outputs`, one for each call.
    pub fn new(tool_outputs: impl IntoIterator<Item = ToolOutput>) -> Self {
        Self { tool_outputs: tool_outputs.into_iter().collect(), stream: None }
    }
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolOutput {
    /// Which call.
    pub tool_call_id: ToolCallId,
    /// What the model is shown; JSON by custom. Empty if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl ToolOutput {
    /// Answers `call` with `output`.
    pub fn new(call: impl Into<ToolCallId>, output: impl Into<String>) -> Self {
        Self { tool_call_id: call.into(), output: Some(output.into()) }
    }
}
