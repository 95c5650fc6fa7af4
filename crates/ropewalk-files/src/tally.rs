//! Counts of files by status, kept by the store's counters: they add up, whoever else writes at the same time.

use std::collections::BTreeMap;

use ropewalk_store::{Batch, Scope};
use ropewalk_types::{FileCounts, VectorStoreFileBatchId, VectorStoreFileStatus, VectorStoreId};

use crate::FileError;

/// Bytes of all files of an organisation.
pub(crate) const FILE_BYTES: &str = "files/bytes";

/// A group of files that are counted by status: a vector store or a batch.
pub(crate) fn of_store(store: &VectorStoreId) -> String {
    format!("{store}/")
}

pub(crate) fn of_batch(batch: &VectorStoreFileBatchId) -> String {
    format!("{batch}/")
}

/// Moves `files` files of the group from one status to another; `None` is outside of the group.
pub(crate) fn shift(
    batch: Batch,
    group: &str,
    from: Option<&VectorStoreFileStatus>,
    to: Option<&VectorStoreFileStatus>,
    files: i64,
) -> Batch {
    let add = |batch: Batch, status: Option<&VectorStoreFileStatus>, files: i64| match status {
        Some(status) => batch.add(format!("{group}{}", status.as_str()), files),
        None => batch,
    };
    add(add(batch, from, -files), to, files)
}

/// Adds to the bytes of a group's chunks.
pub(crate) fn add_bytes(batch: Batch, group: &str, bytes: i64) -> Batch {
    if bytes == 0 { batch } else { batch.add(format!("{group}bytes"), bytes) }
}

/// A group's files by status, and the bytes of their chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) counts: FileCounts,
    pub(crate) bytes: u64,
}

pub(crate) async fn read(scope: &Scope, group: &str) -> Result<Tally, FileError> {
    let counters: BTreeMap<String, i64> = scope.counters(group).await?;
    let count = |word: &str| {
        let value = counters.get(&format!("{group}{word}")).copied().unwrap_or_default();
        u64::try_from(value).unwrap_or_default()
    };
    let (in_progress, completed) = (count("in_progress"), count("completed"));
    let (failed, cancelled) = (count("failed"), count("cancelled"));
    let total = in_progress + completed + failed + cancelled;
    let counts = FileCounts { in_progress, completed, failed, cancelled, total };
    Ok(Tally { counts, bytes: count("bytes") })
}
