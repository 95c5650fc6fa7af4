use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Attributes, ChunkingStrategy, ChunkingStrategyParam, FileCounts, FileId, Order, UnixSeconds,
    VectorStoreFileBatchId, VectorStoreFileBatchWord, VectorStoreFileWord, VectorStoreId,
    filter::attributes_schema,
};

/// A file in a vector store; `vector_store.file` on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct VectorStoreFile {
    /// The id of the file itself.
    pub id: FileId,
    /// `vector_store.file`.
    #[serde(default)]
    pub object: VectorStoreFileWord,
    /// Bytes of its chunks.
    #[serde(default)]
    pub usage_bytes: u64,
    /// When it was put into the store.
    pub created_at: UnixSeconds,
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// Where it stands.
    pub status: VectorStoreFileStatus,
    /// Why it failed.
    pub last_error: Option<VectorStoreFileError>,
    /// How it is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking_strategy: Option<ChunkingStrategy>,
    /// Facts about it, to filter searches by.
    #[serde(default)]
    #[schemars(schema_with = "attributes_schema")]
    pub attributes: Option<Attributes>,
}

impl VectorStoreFile {
    /// A file to be taken in.
    pub fn new(id: FileId, vector_store_id: VectorStoreId, created_at: UnixSeconds) -> Self {
        Self {
            id,
            object: VectorStoreFileWord::Word,
            usage_bytes: 0,
            created_at,
            vector_store_id,
            status: VectorStoreFileStatus::InProgress,
            last_error: None,
            chunking_strategy: None,
            attributes: Some(Attributes::new()),
        }
    }
}

/// Where a file in a vector store, or a batch of them, stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VectorStoreFileStatus {
    /// Being taken in.
    InProgress,
    /// Searchable.
    Completed,
    /// Given up.
    Cancelled,
    /// Could not be taken in.
    Failed,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

impl VectorStoreFileStatus {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Unknown(word) => word,
        }
    }
}

/// Why a file could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VectorStoreFileError {
    /// For programs.
    pub code: VectorStoreFileErrorCode,
    /// For people.
    pub message: String,
}

/// Why a file could not be taken in, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VectorStoreFileErrorCode {
    /// A fault of the server.
    ServerError,
    /// A type of file that cannot be searched.
    UnsupportedFile,
    /// A file that is broken or too large.
    InvalidFile,
    /// A code newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// Puts a file into a vector store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateVectorStoreFile {
    /// Which file.
    pub file_id: FileId,
    /// How it is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking_strategy: Option<ChunkingStrategyParam>,
    /// Facts about it, to filter searches by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "attributes_schema")]
    pub attributes: Option<Attributes>,
}

impl CreateVectorStoreFile {
    /// This file, cut as the server likes.
    pub fn new(file: impl Into<FileId>) -> Self {
        Self { file_id: file.into(), chunking_strategy: None, attributes: None }
    }
}

/// Replaces the attributes of a file in a vector store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyVectorStoreFile {
    /// All of them; `null` for none.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(schema_with = "attributes_schema")]
    pub attributes: Option<Attributes>,
}

impl ModifyVectorStoreFile {
    /// Replaces the attributes.
    pub fn new(attributes: Attributes) -> Self {
        Self { attributes: Some(attributes) }
    }
}

/// Files that went into a vector store together; `vector_store.files_batch` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct VectorStoreFileBatch {
    /// Starts with `vsfb_`.
    pub id: VectorStoreFileBatchId,
    /// `vector_store.files_batch`.
    #[serde(default)]
    pub object: VectorStoreFileBatchWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// `completed` once none of its files is in progress, even if some failed.
    pub status: VectorStoreFileStatus,
    /// Its files by status.
    pub file_counts: FileCounts,
}

impl VectorStoreFileBatch {
    /// A batch that begins.
    pub fn new(id: VectorStoreFileBatchId, store: VectorStoreId, created_at: UnixSeconds) -> Self {
        Self {
            id,
            object: VectorStoreFileBatchWord::Word,
            created_at,
            vector_store_id: store,
            status: VectorStoreFileStatus::InProgress,
            file_counts: FileCounts::default(),
        }
    }
}

/// Puts several files into a vector store: `file_ids` that share all settings, or `files` with settings of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateVectorStoreFileBatch {
    /// 1 to 2,000 files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000))]
    pub file_ids: Option<Vec<FileId>>,
    /// 1 to 2,000 files, each with its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000))]
    pub files: Option<Vec<CreateVectorStoreFile>>,
    /// How `file_ids` are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking_strategy: Option<ChunkingStrategyParam>,
    /// Facts about `file_ids`, to filter searches by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "attributes_schema")]
    pub attributes: Option<Attributes>,
}

impl CreateVectorStoreFileBatch {
    /// These files, with the same settings.
    pub fn new(files: impl IntoIterator<Item = FileId>) -> Self {
        Self { file_ids: Some(files.into_iter().collect()), ..Self::default() }
    }
}

/// Which page of the files of a vector store or a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListVectorStoreFilesQuery {
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Newest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "desc"))]
    pub order: Option<Order>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows ahead of this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Only files in this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<VectorStoreFileFilter>,
}

/// A status to filter files by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorStoreFileFilter {
    /// Being taken in.
    InProgress,
    /// Searchable.
    Completed,
    /// Could not be taken in.
    Failed,
    /// Given up.
    Cancelled,
}

impl VectorStoreFileFilter {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
