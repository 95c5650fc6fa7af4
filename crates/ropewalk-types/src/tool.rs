use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FileId, FunctionWord, ToolCallId, VectorStoreId, VectorStoreToMake};

/// A tool that an assistant may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub enum Tool {
    /// Python behind a wall.
    CodeInterpreter,
    /// Search in vector stores.
    FileSearch {
        /// How to search; the server's defaults if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_search: Option<FileSearchOptions>,
    },
    /// A function that the caller runs.
    Function {
        /// What it is.
        function: Function,
    },
    /// A tool newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(Value),
}

impl Tool {
    /// A function tool.
    pub fn function(function: Function) -> Self {
        Self::Function { function }
    }

    /// The name that the model calls this tool by; `None` for a tool newer than this crate.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::CodeInterpreter => Some("code_interpreter"),
            Self::FileSearch { .. } => Some("file_search"),
            Self::Function { function } => Some(&function.name),
            Self::Unknown(_) => None,
        }
    }
}

/// Settings of the file_search tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileSearchOptions {
    /// Most results, 1 to 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub max_num_results: Option<u32>,
    /// `ranker` and `score_threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking_options: Option<FileSearchRanking>,
}

/// How file_search ranks what it finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileSearchRanking {
    /// Which ranker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "auto"))]
    pub ranker: Option<FileSearchRanker>,
    /// Least score of a result, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub score_threshold: f64,
}

/// The rankers of the file_search tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileSearchRanker {
    /// The server's choice.
    #[default]
    Auto,
    /// The hosted service's ranker of that day; here the server's own.
    #[serde(rename = "default_2024_08_21")]
    Default20240821,
    /// A ranker newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// A function as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Function {
    /// 1 to 64 characters of `a-z A-Z 0-9 _ -`.
    #[schemars(length(max = 64), regex(pattern = "^[a-zA-Z0-9_-]+$"))]
    pub name: String,
    /// When and how to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// A JSON schema of its arguments; absent means no arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub parameters: Option<Value>,
    /// Whether the model is held to the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub strict: Option<bool>,
}

/// Another name for [`Function`], as the API reference calls its definition.
pub type FunctionDefinition = Function;

impl Function {
    /// A function without arguments or description.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None, parameters: None, strict: None }
    }

    /// Says when and how to call it.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the JSON schema of its arguments.
    #[must_use]
    pub fn parameters(mut self, schema: Value) -> Self {
        self.parameters = Some(schema);
        self
    }
}

/// A call of a function that the model asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// Give it back with the output.
    pub id: ToolCallId,
    /// `function`.
    #[serde(rename = "type", default)]
    pub kind: FunctionWord,
    /// Which function, with which arguments.
    pub function: FunctionCall,
}

/// Which function, with which arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// JSON, as the model wrote it: not always valid.
    pub arguments: String,
}

/// Which tool the model must, may or must not call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ToolChoice {
    /// A rule for all tools.
    Mode(ToolChoiceMode),
    /// This tool and no other.
    Named(NamedToolChoice),
}

impl Default for ToolChoice {
    fn default() -> Self {
        Self::Mode(ToolChoiceMode::Auto)
    }
}

/// A rule for all tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoiceMode {
    /// Call none.
    None,
    /// The model decides.
    #[default]
    Auto,
    /// Call at least one.
    Required,
}

/// A tool that the model must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NamedToolChoice {
    /// `function`, `code_interpreter` or `file_search`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["function", "code_interpreter", "file_search"]))]
    pub kind: String,
    /// Which function, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<NamedFunction>,
}

/// The name of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NamedFunction {
    /// The name.
    pub name: String,
}

/// Files and vector stores that tools work on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ToolResources {
    /// For code_interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_interpreter: Option<CodeInterpreterResources>,
    /// For file_search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_search: Option<FileSearchResources>,
}

/// Files for code_interpreter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CodeInterpreterResources {
    /// At most 20.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub file_ids: Vec<FileId>,
}

/// Vector stores for file_search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileSearchResources {
    /// At most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub vector_store_ids: Option<Vec<VectorStoreId>>,
    /// On create, in place of ids: a store to make, at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub vector_stores: Option<Vec<VectorStoreToMake>>,
}
