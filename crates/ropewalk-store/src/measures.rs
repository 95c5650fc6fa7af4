//! What the SQLite writer measures of itself, with the facade of the crate `metrics`: nothing, unless the program records it.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const COMMITS: &str = "ropewalk_store_commits_total";
const COMMIT_SECONDS: &str = "ropewalk_store_commit_duration_seconds";
const COMMIT_WRITES: &str = "ropewalk_store_commit_writes";
const WRITE_SECONDS: &str = "ropewalk_store_write_duration_seconds";
const REFUSED: &str = "ropewalk_store_writes_refused_total";

/// Tells the recorder of this thread or process what the metrics of this crate mean.
pub fn describe_metrics() {
    describe_counter!(COMMITS, "Transactions of the one writer, by how they ended.");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "How long a transaction took, its sync included.");
    describe_histogram!(COMMIT_WRITES, Unit::Count, "Writes that shared a transaction.");
    describe_histogram!(
        WRITE_SECONDS,
        Unit::Seconds,
        "How long a write took, its wait for a transaction included."
    );
    describe_counter!(REFUSED, "Writes that were turned away because too many waited.");
    counter!(REFUSED).absolute(0);
}

/// A transaction of so many writes has ended.
pub(crate) fn committed(writes: usize, took: Duration, kept: bool) {
    counter!(COMMITS, "outcome" => if kept { "ok" } else { "failed" }).increment(1);
    histogram!(COMMIT_SECONDS).record(took);
    histogram!(COMMIT_WRITES).record(writes as f64);
}

/// Somebody's write was answered.
pub(crate) fn written(took: Duration) {
    histogram!(WRITE_SECONDS).record(took);
}

/// A write found no room.
pub(crate) fn refused() {
    counter!(REFUSED).increment(1);
}
