//! What is measured of runs, with the facade of the crate `metrics`: nothing, unless the program records it.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use ropewalk_types::RunStatus;
use tokio::time::Instant;

use crate::machine::Input;

const RUNS: &str = "ropewalk_runs_total";
const RUN_SECONDS: &str = "ropewalk_run_duration_seconds";
const ACTIVE: &str = "ropewalk_runs_active";
const QUEUED: &str = "ropewalk_runs_queued";
const QUEUE_AGE: &str = "ropewalk_runs_queue_age_seconds";
const QUEUE_WAIT: &str = "ropewalk_run_queue_wait_seconds";
const REJECTED: &str = "ropewalk_runs_rejected_total";
const TAKEN_OVER: &str = "ropewalk_runs_taken_over_total";
const TOOL_CALLS: &str = "ropewalk_tool_calls_total";
const TOOL_SECONDS: &str = "ropewalk_tool_call_duration_seconds";

/// Tells the recorder of this thread or process what the metrics of this crate mean.
pub fn describe_metrics() {
    describe_counter!(RUNS, "Runs that are over, by their last status.");
    describe_histogram!(
        RUN_SECONDS,
        Unit::Seconds,
        "How long a run lasted from when it was made, all waits included."
    );
    describe_gauge!(
        ACTIVE,
        Unit::Count,
        "Runs that this process drives, those that wait for their thread included."
    );
    describe_counter!(
        TAKEN_OVER,
        "Runs that the worker took over, by why: theirs died, they expired, they were cancelled."
    );
    describe_counter!(TOOL_CALLS, "Calls of the server's own tools, by how they ended.");
    describe_histogram!(TOOL_SECONDS, Unit::Seconds, "How long a call of a tool of the server took.");
    describe_gauge!(QUEUED, Unit::Count, "Runs that wait because as many work as may.");
    describe_gauge!(QUEUE_AGE, Unit::Seconds, "How long the run waits that waits longest for others to end.");
    describe_histogram!(
        QUEUE_WAIT,
        Unit::Seconds,
        "How long a run waited for others to end before it worked."
    );
    describe_counter!(REJECTED, "Runs that were refused because too many waited.");
    [ACTIVE, QUEUED, QUEUE_AGE].into_iter().for_each(|name| gauge!(name).increment(0));
    counter!(REJECTED).absolute(0);
}

/// A run is over, so many seconds after it was made.
pub(crate) fn run_over(status: &RunStatus, seconds: i64) {
    let status = match status {
        RunStatus::Completed => "completed",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Expired => "expired",
        RunStatus::Incomplete => "incomplete",
        _ => return,
    };
    counter!(RUNS, "status" => status).increment(1);
    histogram!(RUN_SECONDS, "status" => status).record(seconds.max(0) as f64);
}

/// So many more runs are driven, or fewer.
pub(crate) fn active(more: i8) {
    gauge!(ACTIVE).increment(more);
}

/// So many more runs wait to be let in, or fewer.
pub(crate) fn queued(more: i8) {
    gauge!(QUEUED).increment(more);
}

/// Since when the run waits that waits longest, if any does.
pub(crate) fn queue_age(since: Option<Instant>) {
    gauge!(QUEUE_AGE).set(since.map_or(Duration::ZERO, |since| since.elapsed()));
}

/// A run was let in.
pub(crate) fn waited(time: Duration) {
    histogram!(QUEUE_WAIT).record(time);
}

/// A run was refused for want of room in the queue.
pub(crate) fn rejected() {
    counter!(REJECTED).increment(1);
}

/// The worker takes a run over, and hands this to it.
pub(crate) fn taken_over(first: &Input, status: &RunStatus) {
    let reason = match first {
        Input::DeadlinePassed => "expired",
        _ if *status == RunStatus::Cancelling => "cancelled",
        _ => "recovered",
    };
    counter!(TAKEN_OVER, "reason" => reason).increment(1);
}

/// A tool of the server was called. Both words are ours: a caller cannot make up new ones.
pub(crate) fn tool_called(tool: &'static str, outcome: &'static str, took: Duration) {
    counter!(TOOL_CALLS, "tool" => tool, "outcome" => outcome).increment(1);
    histogram!(TOOL_SECONDS, "tool" => tool).record(took);
}
