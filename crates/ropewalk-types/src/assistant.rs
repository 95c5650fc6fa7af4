use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AssistantId, AssistantWord, Metadata, ModelId, ResponseFormat, RunExpiry, Tool, ToolResources,
    UnixSeconds, Update, common::metadata_schema,
};

/// A configured agent: a model, instructions and tools.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Assistant {
    /// Starts with `asst_`.
    pub id: AssistantId,
    /// `assistant`.
    #[serde(default)]
    pub object: AssistantWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// At most 256 characters.
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// At most 512 characters.
    #[schemars(length(max = 512))]
    pub description: Option<String>,
    /// The model that answers.
    pub model: ModelId,
    /// What the model is told first; at most 256,000 characters.
    #[schemars(length(max = 256_000))]
    pub instructions: Option<String>,
    /// At most 128.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub tools: Vec<Tool>,
    /// Files and vector stores of the tools.
    #[serde(default)]
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Option<f64>,
    /// Randomness, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Option<f64>,
    /// The form of the answer.
    #[serde(default)]
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// When its runs expire, unless they say so themselves; after 600 seconds if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_expires_after: Option<RunExpiry>,
}

impl Assistant {
    /// The assistant that `request` asks for, defaults filled in.
    pub fn new(id: AssistantId, created_at: UnixSeconds, request: CreateAssistant) -> Self {
        Self {
            id,
            object: AssistantWord::Word,
            created_at,
            name: request.name,
            description: request.description,
            model: request.model,
            instructions: request.instructions,
            tools: request.tools.unwrap_or_default(),
            tool_resources: Some(request.tool_resources.unwrap_or_default()),
            metadata: Some(request.metadata.unwrap_or_default()),
            top_p: Some(request.top_p.unwrap_or(1.0)),
            temperature: Some(request.temperature.unwrap_or(1.0)),
            response_format: Some(request.response_format.unwrap_or_else(ResponseFormat::auto)),
            reasoning_effort: request.reasoning_effort,
            run_expires_after: request.run_expires_after,
        }
    }

    /// Changes what `request` names.
    pub fn modify(&mut self, request: ModifyAssistant) {
        if let Some(model) = request.model {
            self.model = model;
        }
        request.name.apply(&mut self.name);
        request.description.apply(&mut self.description);
        request.instructions.apply(&mut self.instructions);
        request.tools.apply_or_default(&mut self.tools);
        request.tool_resources.apply(&mut self.tool_resources);
        request.metadata.apply(&mut self.metadata);
        request.top_p.apply(&mut self.top_p);
        request.temperature.apply(&mut self.temperature);
        request.response_format.apply(&mut self.response_format);
        request.reasoning_effort.apply(&mut self.reasoning_effort);
        request.run_expires_after.apply(&mut self.run_expires_after);
        self.metadata.get_or_insert_default();
        self.top_p.get_or_insert(1.0);
        self.temperature.get_or_insert(1.0);
        self.response_format.get_or_insert_with(ResponseFormat::auto);
    }
}

/// How long a reasoning model thinks: `none`, `minimal`, `low`, `medium`, `high`, … or a newer word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ReasoningEffort(
    #[schemars(extend("enum" = ["none", "minimal", "low", "medium", "high", "xhigh", "max"], "default" = "medium"))]
    pub String,
);

/// Makes an assistant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateAssistant {
    /// The model that answers.
    pub model: ModelId,
    /// At most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// At most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub description: Option<String>,
    /// What the model is told first; at most 256,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256_000))]
    pub instructions: Option<String>,
    /// At most 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), extend("default" = []))]
    pub tools: Option<Vec<Tool>>,
    /// Files and vector stores of the tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Option<f64>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Option<f64>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// When its runs expire, unless they say so themselves; after 600 seconds if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_expires_after: Option<RunExpiry>,
}

impl CreateAssistant {
    /// An assistant on `model`, everything else left to the server.
    pub fn new(model: impl Into<ModelId>) -> Self {
        Self {
            model: model.into(),
            name: None,
            description: None,
            instructions: None,
            tools: None,
            tool_resources: None,
            metadata: None,
            top_p: None,
            temperature: None,
            response_format: None,
            reasoning_effort: None,
            run_expires_after: None,
        }
    }

    /// Names it; at most 256 characters.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says what the model is told first.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.get_or_insert_default().push(tool);
        self
    }

    /// Adds tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.get_or_insert_default().extend(tools);
        self
    }

    /// Adds notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Says when its runs expire, unless they say so themselves.
    #[must_use]
    pub fn run_expires_after(mut self, expiry: RunExpiry) -> Self {
        self.run_expires_after = Some(expiry);
        self
    }
}

/// Changes the given fields of an assistant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyAssistant {
    /// Another model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// At most 256 characters.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(length(max = 256))]
    pub name: Update<String>,
    /// At most 512 characters.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(length(max = 512))]
    pub description: Update<String>,
    /// At most 256,000 characters.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(length(max = 256_000))]
    pub instructions: Update<String>,
    /// Replaces all tools; at most 128.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(length(max = 128), extend("default" = []))]
    pub tools: Update<Vec<Tool>>,
    /// Replaces the resources as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub tool_resources: Update<ToolResources>,
    /// Replaces the notes as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Update<Metadata>,
    /// Share of probability to sample from, 0 to 1.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(range(min = 0, max = 1), extend("default" = 1))]
    pub top_p: Update<f64>,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(range(min = 0, max = 2), extend("default" = 1))]
    pub temperature: Update<f64>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub response_format: Update<ResponseFormat>,
    /// How long a reasoning model thinks.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub reasoning_effort: Update<ReasoningEffort>,
    /// When its runs expire, unless they say so themselves; `null`: after 600 seconds.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub run_expires_after: Update<RunExpiry>,
}

impl ModifyAssistant {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Renames it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Replaces what the model is told first.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = instructions.into().into();
        self
    }

    /// Replaces the notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata.into();
        self
    }
}
