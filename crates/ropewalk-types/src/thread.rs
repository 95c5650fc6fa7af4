use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Budget, CreateMessage, Metadata, ThreadId, ThreadWord, ToolResources, UnixSeconds, Update,
    common::metadata_schema,
};

/// A conversation: the home of messages and runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Thread {
    /// Starts with `thread_`.
    pub id: ThreadId,
    /// `thread`.
    #[serde(default)]
    pub object: ThreadWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Files and vector stores of this thread's tools.
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// What all runs of this thread may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl Thread {
    /// A thread with nothing in it yet.
    pub fn new(id: ThreadId, created_at: UnixSeconds) -> Self {
        Self {
            id,
            object: ThreadWord::Word,
            created_at,
            tool_resources: Some(ToolResources::default()),
            metadata: Some(Metadata::new()),
            budget: None,
        }
    }
}

/// Makes a thread, with its first messages if wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateThread {
    /// First messages, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<CreateMessage>>,
    /// Files and vector stores of this thread's tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resources: Option<ToolResources>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// What all runs of this thread may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl CreateThread {
    /// An empty thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a first message.
    #[must_use]
    pub fn message(mut self, message: CreateMessage) -> Self {
        self.messages.get_or_insert_default().push(message);
        self
    }

    /// Adds notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Caps what all runs of the thread may use together.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }
}

/// Changes the given fields of a thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyThread {
    /// Replaces the resources as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub tool_resources: Update<ToolResources>,
    /// Replaces the notes as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Update<Metadata>,
    /// Replaces what all runs of this thread may use together, those that are over included.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub budget: Update<Budget>,
}

impl ModifyThread {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the notes.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// Caps anew what all runs of the thread may use together.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget.into();
        self
    }
}
