use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AssistantId, Budget, Metadata, ModelId, ReasoningEffort, ResponseFormat, RunId, RunWord,
    SubmitToolOutputsWord, ThreadId, Tool, ToolCall, ToolChoice, ToolResources, UnixSeconds,
    common::metadata_schema,
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
    #[schemars(length(max = 128), extend("default" = []))]
    pub tools: Vec<Tool>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// What its model calls cost in all; `null` until it is over.
    pub usage: Option<Usage>,
    /// Randomness, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Option<f64>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    #[schemars(range(min = 256))]
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    #[schemars(range(min = 256))]
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    #[schemars(extend("default" = true))]
    pub parallel_tool_calls: bool,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Files and vector stores of its assistant's tools, as they were when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resources: Option<ToolResources>,
    /// What its model calls may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
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
            tool_resources: None,
            budget: None,
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
    #[schemars(skip)]
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
    #[schemars(skip)]
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
    /// The model was shown as much as it may, or the newest message alone does not fit.
    MaxPromptTokens,
    /// The run's [`Budget`] has no tokens left.
    MaxTotalTokens,
    /// The run's [`Budget`] has no model calls left.
    MaxModelCalls,
    /// The run's [`Budget`] has no time left.
    MaxSeconds,
    /// The thread's [`Budget`] has no tokens left.
    ThreadMaxTotalTokens,
    /// The thread's [`Budget`] has no model calls left.
    ThreadMaxModelCalls,
    /// The thread's [`Budget`] has no time left.
    ThreadMaxSeconds,
    /// The [`Budget`] of the key that made the run has no tokens left.
    KeyMaxTotalTokens,
    /// The [`Budget`] of the key that made the run has no model calls left.
    KeyMaxModelCalls,
    /// The [`Budget`] of the key that made the run has no time left.
    KeyMaxSeconds,
    /// A reason newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
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
#[schemars(deny_unknown_fields)]
pub struct TruncationStrategy {
    /// The rule.
    #[serde(rename = "type")]
    pub kind: TruncationKind,
    /// How many messages, for [`TruncationKind::LastMessages`]; at least 1.
    #[serde(default)]
    #[schemars(range(min = 1))]
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
