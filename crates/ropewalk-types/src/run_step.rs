use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AssistantId, FileId, FileReference, FileSearchRanker, LastError, MessageId, Metadata, RunId, RunStepId,
    RunStepWord, TextContent, ThreadId, ToolCallId, UnixSeconds, Usage, common::metadata_schema,
};

/// One recorded move of a run: a message written, or a round of tool calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunStep {
    /// Starts with `step_`.
    pub id: RunStepId,
    /// `thread.run.step`.
    #[serde(default)]
    pub object: RunStepWord,
    /// When it began.
    pub created_at: UnixSeconds,
    /// The assistant that acts.
    pub assistant_id: AssistantId,
    /// The thread it acts on.
    pub thread_id: ThreadId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// What kind of move.
    #[serde(rename = "type")]
    pub kind: RunStepKind,
    /// Where it stands.
    pub status: RunStepStatus,
    /// What was done.
    pub step_details: StepDetails,
    /// Why it failed.
    pub last_error: Option<LastError>,
    /// When its run expired.
    pub expired_at: Option<UnixSeconds>,
    /// When its run was cancelled.
    pub cancelled_at: Option<UnixSeconds>,
    /// When it failed.
    pub failed_at: Option<UnixSeconds>,
    /// When it was done.
    pub completed_at: Option<UnixSeconds>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// What the model call behind it cost; `null` until the step is over.
    pub usage: Option<Usage>,
}

impl RunStep {
    /// Takes away what is sent only to those who ask for it.
    pub fn strip(&mut self) {
        let StepDetails::ToolCalls { tool_calls } = &mut self.step_details else { return };
        for call in tool_calls {
            if let ToolCallRecord::FileSearch { file_search, .. } = call {
                file_search.results.iter_mut().flatten().for_each(|result| result.content = None);
            }
        }
    }

    /// A step that begins at `created_at`.
    pub fn new(
        id: RunStepId,
        run_id: RunId,
        thread_id: ThreadId,
        assistant_id: AssistantId,
        created_at: UnixSeconds,
        step_details: StepDetails,
    ) -> Self {
        Self {
            id,
            object: RunStepWord::Word,
            created_at,
            assistant_id,
            thread_id,
            run_id,
            kind: match step_details {
                StepDetails::MessageCreation { .. } => RunStepKind::MessageCreation,
                _ => RunStepKind::ToolCalls,
            },
            status: RunStepStatus::InProgress,
            step_details,
            last_error: None,
            expired_at: None,
            cancelled_at: None,
            failed_at: None,
            completed_at: None,
            metadata: None,
            usage: None,
        }
    }
}

/// What kind of move a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStepKind {
    /// A message was written.
    MessageCreation,
    /// Tools were called.
    ToolCalls,
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStepStatus {
    /// Not over.
    InProgress,
    /// Its run was cancelled.
    Cancelled,
    /// It failed, and its run with it.
    Failed,
    /// Done.
    Completed,
    /// Its run expired.
    Expired,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepDetails {
    /// Wrote a message.
    MessageCreation {
        /// Which.
        message_creation: MessageCreation,
    },
    /// Called tools.
    ToolCalls {
        /// All calls of one model turn, in order.
        tool_calls: Vec<ToolCallRecord>,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// The message that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageCreation {
    /// Which message.
    pub message_id: MessageId,
}

/// A tool call as a step keeps it, with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolCallRecord {
    /// A function of the caller.
    Function {
        /// Joins call and output.
        id: ToolCallId,
        /// Name, arguments and output.
        function: FunctionCallRecord,
    },
    /// Python that ran.
    CodeInterpreter {
        /// Names the call.
        id: ToolCallId,
        /// Code and outputs.
        code_interpreter: CodeInterpreterCall,
    },
    /// A search that was made.
    FileSearch {
        /// Names the call.
        id: ToolCallId,
        /// Settings and results.
        file_search: FileSearchCall,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

impl ToolCallRecord {
    /// The call's id; `None` for a kind newer than this crate.
    pub fn id(&self) -> Option<&ToolCallId> {
        match self {
            Self::Function { id, .. } | Self::CodeInterpreter { id, .. } | Self::FileSearch { id, .. } => {
                Some(id)
            }
            Self::Unknown(_) => None,
        }
    }
}

/// A function call and its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionCallRecord {
    /// The function's name.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
    /// What the caller submitted; `null` until then.
    pub output: Option<String>,
}

/// A cell of Python and its outputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeInterpreterCall {
    /// The code.
    pub input: String,
    /// Logs and images, in order.
    pub outputs: Vec<CodeOutput>,
}

/// One output of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CodeOutput {
    /// What it printed.
    Logs {
        /// The text.
        logs: String,
    },
    /// A figure.
    Image {
        /// Which file.
        image: FileReference,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// A search and its results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileSearchCall {
    /// How the results were ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking_options: Option<FileSearchCallRanking>,
    /// Passages found, best first; absent until the search was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<FileSearchResult>>,
}

/// How the results of a search were ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileSearchCallRanking {
    /// Which ranker.
    pub ranker: FileSearchRanker,
    /// Least score of a result, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub score_threshold: f64,
}

/// A passage that file_search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileSearchResult {
    /// The file it stands in.
    pub file_id: FileId,
    /// The file's name.
    pub file_name: String,
    /// How well it fits, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub score: f64,
    /// The passage; sent only to those who ask for it by [`RunStepInclude::SearchContent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<TextContent>>,
}

/// What of a step is sent only to those who ask for it, in the query parameter `include[]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum RunStepInclude {
    /// The passages that file_search found.
    #[serde(rename = "step_details.tool_calls[*].file_search.results[*].content")]
    SearchContent,
}
