use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AssistantId, Budget, CreateMessage, CreateThread, Metadata, ModelId, ReasoningEffort, ResponseFormat,
    RunExpiry, Tool, ToolCallId, ToolChoice, ToolResources, TruncationStrategy, Update,
    common::metadata_schema,
};

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
    /// When it expires.
    pub expires_after: Option<RunExpiry>,
    /// What its model calls may use at most.
    pub budget: Option<Budget>,
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
    #[schemars(length(max = 256_000))]
    pub instructions: Option<String>,
    /// Instructions to append to those in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256_000))]
    pub additional_instructions: Option<String>,
    /// Messages to add to the thread first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_messages: Option<Vec<CreateMessage>>,
    /// Other tools than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub tools: Option<Vec<Tool>>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Option<f64>,
    /// Whether the reply is an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256))]
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256))]
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// When it expires, in place of what its assistant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<RunExpiry>,
    /// What its model calls may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
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
            expires_after: None,
            budget: None,
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

    /// Says when it expires, in place of what its assistant says.
    #[must_use]
    pub fn expires_after(mut self, expiry: RunExpiry) -> Self {
        self.expires_after = Some(expiry);
        self
    }

    /// Caps what its model calls may use.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
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
            expires_after: self.expires_after,
            budget: self.budget,
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
    #[schemars(length(max = 256_000))]
    pub instructions: Option<String>,
    /// Other tools than the assistant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub tools: Option<Vec<Tool>>,
    /// Files and vector stores of the new thread's tools, if `thread` names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Option<f64>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Option<f64>,
    /// Whether the reply is an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Most tokens the model may be shown over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256))]
    pub max_prompt_tokens: Option<u64>,
    /// Most tokens the model may write over the whole run; at least 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256))]
    pub max_completion_tokens: Option<u64>,
    /// How much of the thread the model is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation_strategy: Option<TruncationStrategy>,
    /// Which tool the model must, may or must not call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may ask for several calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// When it expires, in place of what its assistant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<RunExpiry>,
    /// What its model calls may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
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
            expires_after: None,
            budget: None,
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
            expires_after: self.expires_after,
            budget: self.budget,
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
    #[schemars(schema_with = "metadata_schema")]
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
