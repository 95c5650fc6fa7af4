use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssistantId, Metadata, Order, ThreadId, ThreadsDeletedWord, common::metadata_schema};

/// Which page of the threads, and which threads at all. Beyond the original: the hosted service had no such list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListThreadsQuery {
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
    /// Only threads with all these notes: `metadata[key]=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Only threads that this assistant ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<AssistantId>,
    /// Only threads made at this Unix second or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<i64>,
    /// Only threads made at this Unix second or earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<i64>,
}

/// Which threads to delete: those that match every filter given, and at least one must be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// A filter that is spelt wrong would delete more than was meant.
#[serde(deny_unknown_fields)]
pub struct DeleteThreadsQuery {
    /// Only threads with all these notes: `metadata[key]=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Only threads that this assistant ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<AssistantId>,
    /// Only threads made at this Unix second or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<i64>,
    /// Only threads made at this Unix second or earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<i64>,
    /// Whether to say what would be deleted, and delete nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub dry_run: Option<bool>,
}

/// The reply to a deletion of many threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ThreadsDeleted {
    /// `threads.deleted`.
    #[serde(default)]
    pub object: ThreadsDeletedWord,
    /// Whether nothing was deleted, because the request only asked what would be.
    pub dry_run: bool,
    /// The threads, newest first; at most 1,000 a request.
    pub ids: Vec<ThreadId>,
    /// Whether more threads match: ask again.
    pub has_more: bool,
}

impl ThreadsDeleted {
    /// These threads are gone, or would be.
    pub fn new(ids: Vec<ThreadId>, dry_run: bool, has_more: bool) -> Self {
        Self { object: ThreadsDeletedWord::Word, dry_run, ids, has_more }
    }
}
