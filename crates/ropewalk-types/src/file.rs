use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FileId, FileWord, Order, UnixSeconds};

/// A stored file; `file` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct File {
    /// Starts with `file-`.
    pub id: FileId,
    /// `file`.
    #[serde(default)]
    pub object: FileWord,
    /// Its size.
    pub bytes: u64,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it is deleted by itself; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixSeconds>,
    /// The name it came with.
    pub filename: String,
    /// What it is for.
    pub purpose: FilePurpose,
    /// `processed` from the start: nothing is done to a file until a vector store takes it in.
    pub status: FileStatus,
    /// Why its status is `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_details: Option<String>,
}

impl File {
    /// A file that never expires.
    pub fn new(
        id: FileId,
        created_at: UnixSeconds,
        filename: impl Into<String>,
        purpose: FilePurpose,
        bytes: u64,
    ) -> Self {
        Self {
            id,
            object: FileWord::Word,
            bytes,
            created_at,
            expires_at: None,
            filename: filename.into(),
            purpose,
            status: FileStatus::Processed,
            status_details: None,
        }
    }
}

/// What a file is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilePurpose {
    /// For file_search and code_interpreter.
    Assistants,
    /// Made by code_interpreter.
    AssistantsOutput,
    /// Input of a batch job.
    Batch,
    /// Output of a batch job.
    BatchOutput,
    /// Input of a fine-tuning job.
    #[serde(rename = "fine-tune")]
    FineTune,
    /// Output of a fine-tuning job.
    #[serde(rename = "fine-tune-results")]
    FineTuneResults,
    /// Images in messages.
    Vision,
    /// Anything a model is shown.
    UserData,
    /// Data of evaluations.
    Evals,
    /// A purpose newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

impl FilePurpose {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Assistants => "assistants",
            Self::AssistantsOutput => "assistants_output",
            Self::Batch => "batch",
            Self::BatchOutput => "batch_output",
            Self::FineTune => "fine-tune",
            Self::FineTuneResults => "fine-tune-results",
            Self::Vision => "vision",
            Self::UserData => "user_data",
            Self::Evals => "evals",
            Self::Unknown(word) => word,
        }
    }

    /// Whether the content of such a file may be downloaded (contract: BEHAVIOUR 13).
    pub fn is_downloadable(&self) -> bool {
        !matches!(self, Self::Assistants | Self::UserData)
    }
}

/// The purposes that a caller may upload a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UploadPurpose {
    /// For file_search and code_interpreter.
    Assistants,
    /// Input of a batch job.
    Batch,
    /// Input of a fine-tuning job.
    #[serde(rename = "fine-tune")]
    FineTune,
    /// Images in messages.
    Vision,
    /// Anything a model is shown.
    UserData,
    /// Data of evaluations.
    Evals,
}

impl From<UploadPurpose> for FilePurpose {
    fn from(purpose: UploadPurpose) -> Self {
        match purpose {
            UploadPurpose::Assistants => Self::Assistants,
            UploadPurpose::Batch => Self::Batch,
            UploadPurpose::FineTune => Self::FineTune,
            UploadPurpose::Vision => Self::Vision,
            UploadPurpose::UserData => Self::UserData,
            UploadPurpose::Evals => Self::Evals,
        }
    }
}

/// Where a file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileStatus {
    /// Stored.
    Uploaded,
    /// Stored and looked at.
    Processed,
    /// Unusable.
    Error,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// When a file is deleted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileExpiry {
    /// Counted from the file's creation.
    pub anchor: FileExpiryAnchor,
    /// 3,600 to 2,592,000 (30 days).
    #[schemars(range(min = 3600, max = 2_592_000))]
    pub seconds: i64,
}

/// What a file's life is counted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileExpiryAnchor {
    /// Its creation.
    #[default]
    CreatedAt,
}

/// The fields beside the bytes of a file to upload, which travel as `multipart/form-data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateFile {
    /// What it is for.
    pub purpose: UploadPurpose,
    /// When it is deleted by itself; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<FileExpiry>,
}

impl CreateFile {
    /// A file for this purpose, that never expires.
    pub fn new(purpose: UploadPurpose) -> Self {
        Self { purpose, expires_after: None }
    }
}

/// Which page of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListFilesQuery {
    /// Only files for this purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Most rows, 1 to 10,000; 10,000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000), extend("default" = 10_000))]
    pub limit: Option<i64>,
    /// Newest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "desc"))]
    pub order: Option<Order>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
