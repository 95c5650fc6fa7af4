//! What is measured of files, with the facade of the crate `metrics`: nothing, unless the program records it.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use ropewalk_types::VectorStoreFileStatus;

const FILES: &str = "ropewalk_vector_store_files_total";
const FILE_SECONDS: &str = "ropewalk_vector_store_file_duration_seconds";

/// Tells the recorder of this thread or process what the metrics of this crate mean.
pub fn describe_metrics() {
    describe_counter!(FILES, "Files that were taken into a vector store, or could not be, by their status.");
    describe_histogram!(FILE_SECONDS, Unit::Seconds, "How long reading, cutting and indexing a file took.");
}

/// A file has come to rest in its vector store.
pub(crate) fn taken_in(status: &VectorStoreFileStatus, took: Duration) {
    let completed = *status == VectorStoreFileStatus::Completed;
    counter!(FILES, "status" => if completed { "completed" } else { "failed" }).increment(1);
    histogram!(FILE_SECONDS).record(took);
}
