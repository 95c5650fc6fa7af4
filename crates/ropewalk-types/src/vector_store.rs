use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ChunkingStrategyParam, FileId, Metadata, UnixSeconds, Update, VectorStoreId, VectorStoreWord,
    common::metadata_schema,
};

/// The searchable home of files; `vector_store` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct VectorStore {
    /// Starts with `vs_`.
    pub id: VectorStoreId,
    /// `vector_store`.
    #[serde(default)]
    pub object: VectorStoreWord,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Its name; empty if it has none.
    #[serde(default)]
    pub name: String,
    /// What it is about; absent if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Bytes of its chunks.
    #[serde(default)]
    pub usage_bytes: u64,
    /// Its files by status.
    pub file_counts: FileCounts,
    /// Where it stands.
    pub status: VectorStoreStatus,
    /// When it expires; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<VectorStoreExpiry>,
    /// When it expires if nobody uses it until then.
    #[serde(default)]
    pub expires_at: Option<UnixSeconds>,
    /// When it was last used by a run or a search.
    pub last_active_at: Option<UnixSeconds>,
    /// Notes of the caller.
    #[serde(default)]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
}

impl VectorStore {
    /// An empty store that never expires.
    pub fn new(id: VectorStoreId, created_at: UnixSeconds) -> Self {
        Self {
            id,
            object: VectorStoreWord::Word,
            created_at,
            name: String::new(),
            description: None,
            usage_bytes: 0,
            file_counts: FileCounts::default(),
            status: VectorStoreStatus::Completed,
            expires_after: None,
            expires_at: None,
            last_active_at: Some(created_at),
            metadata: Some(Metadata::new()),
        }
    }
}

/// Where a vector store stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VectorStoreStatus {
    /// Nobody used it for too long.
    Expired,
    /// Some of its files are being taken in.
    InProgress,
    /// Ready.
    Completed,
    /// A status newer than this crate, kept word for word.
    #[serde(untagged)]
    #[schemars(skip)]
    Unknown(String),
}

/// Files by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileCounts {
    /// Being taken in.
    pub in_progress: u64,
    /// Searchable.
    pub completed: u64,
    /// Could not be taken in.
    pub failed: u64,
    /// Given up.
    pub cancelled: u64,
    /// All of them.
    pub total: u64,
}

/// When a vector store expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorStoreExpiry {
    /// Counted from its last use.
    pub anchor: VectorStoreExpiryAnchor,
    /// 1 to 365.
    #[schemars(range(min = 1, max = 365))]
    pub days: i64,
}

impl VectorStoreExpiry {
    /// So many days after the last use.
    pub fn days(days: i64) -> Self {
        Self { anchor: VectorStoreExpiryAnchor::LastActiveAt, days }
    }
}

/// What a vector store's life is counted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorStoreExpiryAnchor {
    /// Its last use.
    #[default]
    LastActiveAt,
}

/// Makes a vector store, with its first files if wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateVectorStore {
    /// First files, at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub file_ids: Option<Vec<FileId>>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub description: Option<String>,
    /// When it expires; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<VectorStoreExpiry>,
    /// How `file_ids` are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking_strategy: Option<ChunkingStrategyParam>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
}

impl CreateVectorStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts a file into it.
    #[must_use]
    pub fn file(mut self, file: impl Into<FileId>) -> Self {
        self.file_ids.get_or_insert_default().push(file.into());
        self
    }
}

/// Changes the given fields of a vector store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModifyVectorStore {
    /// Another name.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(length(max = 256))]
    pub name: Update<String>,
    /// Another time to expire.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    pub expires_after: Update<VectorStoreExpiry>,
    /// Replaces the notes as a whole.
    #[serde(default, skip_serializing_if = "Update::is_keep")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Update<Metadata>,
}

/// A vector store to make together with an assistant or a thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct VectorStoreToMake {
    /// Its files, at most 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10_000))]
    pub file_ids: Option<Vec<FileId>>,
    /// How they are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking_strategy: Option<ChunkingStrategyParam>,
    /// Notes of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
}
