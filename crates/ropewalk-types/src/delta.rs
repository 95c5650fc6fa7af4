//! Streamed parts of messages and run steps.
//!
//! Clients add them up by fixed rules (strings are joined, `index` and `type` replaced), so an id, a name or a
//! role travels once, in the first part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Annotation, FileReference, FileSearchCall, ImageFile, ImageUrl, MessageDeltaWord, MessageId, Role,
    RunStepDeltaWord, RunStepId, ToolCallId, Update,
};

/// A streamed part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageDelta {
    /// The message it belongs to.
    pub id: MessageId,
    /// `thread.message.delta`.
    #[serde(default)]
    pub object: MessageDeltaWord,
    /// What is new.
    pub delta: MessageDeltaBody,
}

/// What is new in a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageDeltaBody {
    /// Who writes; seldom sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Parts of its content, each with the index of the part it goes on.
    #[serde(default)]
    pub content: Vec<ContentDelta>,
}

/// A streamed part of one content part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContentDelta {
    /// More text.
    Text {
        /// Which content part.
        index: u64,
        /// What to append.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<TextDelta>,
    },
    /// More of a refusal.
    Refusal {
        /// Which content part.
        index: u64,
        /// What to append.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
    },
    /// An image file, whole.
    ImageFile {
        /// Which content part.
        index: u64,
        /// The image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image_file: Option<ImageFile>,
    },
    /// An image address, whole.
    ImageUrl {
        /// Which content part.
        index: u64,
        /// The image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image_url: Option<ImageUrl>,
    },
    /// A part newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// More text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextDelta {
    /// What to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Annotations, each whole and with an `index` of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Vec<AnnotationDelta>>,
}

/// An annotation, sent in one part: clients would add its numbers up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnnotationDelta {
    /// A passage that file_search found.
    FileCitation {
        /// Which annotation of the text.
        index: u64,
        /// The marker in the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Where the marker begins, in code points of the whole text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start_index: Option<u64>,
        /// Where the marker ends, exclusive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end_index: Option<u64>,
        /// Which file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_citation: Option<FileReference>,
    },
    /// A file that code_interpreter made.
    FilePath {
        /// Which annotation of the text.
        index: u64,
        /// The path in the text, `sandbox:/mnt/data/…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Where the path begins, in code points of the whole text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start_index: Option<u64>,
        /// Where the path ends, exclusive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end_index: Option<u64>,
        /// Which file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_path: Option<FileReference>,
    },
    /// An annotation newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

impl AnnotationDelta {
    /// The whole of `annotation`, as the `index`-th of its text.
    pub fn whole(index: u64, annotation: &Annotation) -> Self {
        match annotation.clone() {
            Annotation::FileCitation { text, start_index, end_index, file_citation } => Self::FileCitation {
                index,
                text: Some(text),
                start_index: Some(start_index),
                end_index: Some(end_index),
                file_citation: Some(file_citation),
            },
            Annotation::FilePath { text, start_index, end_index, file_path } => Self::FilePath {
                index,
                text: Some(text),
                start_index: Some(start_index),
                end_index: Some(end_index),
                file_path: Some(file_path),
            },
            Annotation::Unknown(mut value) => {
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("index".to_owned(), index.into());
                }
                Self::Unknown(value)
            }
        }
    }
}

/// A streamed part of a run step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStepDelta {
    /// The step it belongs to.
    pub id: RunStepId,
    /// `thread.run.step.delta`.
    #[serde(default)]
    pub object: RunStepDeltaWord,
    /// What is new.
    pub delta: RunStepDeltaBody,
}

/// What is new in a run step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStepDeltaBody {
    /// Parts of its details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_details: Option<StepDetailsDelta>,
}

/// Parts of a step's details.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepDetailsDelta {
    /// Parts of tool calls, each with the index of the call it goes on.
    ToolCalls {
        /// The parts.
        #[serde(default)]
        tool_calls: Vec<ToolCallDelta>,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// A streamed part of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolCallDelta {
    /// Part of a function call.
    Function {
        /// Which call of the step.
        index: u64,
        /// Sent once, first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ToolCallId>,
        /// Name once, arguments piece by piece.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        function: Option<FunctionDelta>,
    },
    /// Part of a cell of Python.
    CodeInterpreter {
        /// Which call of the step.
        index: u64,
        /// Sent once, first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ToolCallId>,
        /// Code piece by piece, then outputs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code_interpreter: Option<CodeInterpreterDelta>,
    },
    /// A search; its results come with the completed step.
    FileSearch {
        /// Which call of the step.
        index: u64,
        /// Sent once, first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ToolCallId>,
        /// An object without keys.
        #[serde(default)]
        file_search: FileSearchCall,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

/// Part of a function call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionDelta {
    /// Sent once, first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// `null` in the first part.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub output: Update<String>,
}

/// Part of a cell of Python.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeInterpreterDelta {
    /// Code to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Outputs, each with an index of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<CodeOutputDelta>>,
}

/// Part of a cell's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CodeOutputDelta {
    /// More of what it printed.
    Logs {
        /// Which output.
        index: u64,
        /// What to append.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logs: Option<String>,
    },
    /// A figure, whole.
    Image {
        /// Which output.
        index: u64,
        /// Which file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<FileReference>,
    },
    /// A kind newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}
