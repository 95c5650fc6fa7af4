use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{File, FileExpiry, UnixSeconds, UploadId, UploadPartId, UploadPartWord, UploadWord};

/// A large file that comes in parts; `upload` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Upload {
    /// Starts with `upload_`.
    pub id: UploadId,
    /// `upload`.
    #[serde(default)]
    pub object: UploadWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// The name of the file to be.
    pub filename: String,
    /// The size of the file to be.
    pub bytes: u64,
    /// What the file will be for.
    pub purpose: String,
    /// Where it stands.
    pub status: UploadStatus,
    /// When an unfinished upload is given up.
    pub expires_at: UnixSeconds,
    /// The file, once completed.
    #[serde(default)]
    pub file: Option<File>,
}

impl Upload {
    /// An upload without parts.
    pub fn new(
        id: UploadId,
        created_at: UnixSeconds,
        expires_at: UnixSeconds,
        request: &CreateUpload,
    ) -> Self {
        Self {
            id,
            object: UploadWord::Word,
            created_at,
            filename: request.filename.clone(),
            bytes: request.bytes,
            purpose: crate::FilePurpose::from(request.purpose).as_str().to_owned(),
            status: UploadStatus::Pending,
            expires_at,
            file: None,
        }
    }
}

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UploadStatus {
    /// Takes parts.
    Pending,
    /// Became a file.
    Completed,
    /// Given up by the caller.
    Cancelled,
    /// Given up by time.
    Expired,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

impl UploadStatus {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Unknown(word) => word,
        }
    }
}

/// A part of an upload; `upload.part` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct UploadPart {
    /// Starts with `part_`.
    pub id: UploadPartId,
    /// `upload.part`.
    #[serde(default)]
    pub object: UploadPartWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// The upload it belongs to.
    pub upload_id: UploadId,
}

impl UploadPart {
    /// A part of `upload`.
    pub fn new(id: UploadPartId, upload: UploadId, created_at: UnixSeconds) -> Self {
        Self { id, object: UploadPartWord::Word, created_at, upload_id: upload }
    }
}

/// Begins an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateUpload {
    /// The name of the file to be.
    #[schemars(length(min = 1, max = 1024))]
    pub filename: String,
    /// What the file will be for.
    pub purpose: UploadedPurpose,
    /// The size of the file to be: at most 8 GiB.
    #[schemars(range(min = 0, max = 8_589_934_592_u64))]
    pub bytes: u64,
    /// Its media type.
    #[schemars(length(max = 256))]
    pub mime_type: String,
    /// When the file is deleted by itself; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<FileExpiry>,
}

/// The purposes of files that may come in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadedPurpose {
    /// For file_search and code_interpreter.
    Assistants,
    /// Input of a batch job.
    Batch,
    /// Input of a fine-tuning job.
    #[serde(rename = "fine-tune")]
    FineTune,
    /// Images in messages.
    Vision,
}

impl From<UploadedPurpose> for crate::FilePurpose {
    fn from(purpose: UploadedPurpose) -> Self {
        match purpose {
            UploadedPurpose::Assistants => Self::Assistants,
            UploadedPurpose::Batch => Self::Batch,
            UploadedPurpose::FineTune => Self::FineTune,
            UploadedPurpose::Vision => Self::Vision,
        }
    }
}

impl CreateUpload {
    /// An upload of `bytes` bytes.
    pub fn new(
        filename: impl Into<String>,
        purpose: UploadedPurpose,
        bytes: u64,
        mime_type: impl Into<String>,
    ) -> Self {
        Self { filename: filename.into(), purpose, bytes, mime_type: mime_type.into(), expires_after: None }
    }
}

/// The form of a part, which travels as `multipart/form-data` with the one field `data`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AddUploadPart {}

/// Makes the file out of the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CompleteUpload {
    /// The parts in the order of the file.
    #[schemars(length(max = 10_000))]
    pub part_ids: Vec<UploadPartId>,
    /// MD5 of the whole, in hex; checked if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
}

impl CompleteUpload {
    /// The parts in the order of the file.
    pub fn new(part_ids: impl IntoIterator<Item = UploadPartId>) -> Self {
        Self { part_ids: part_ids.into_iter().collect(), md5: None }
    }
}
