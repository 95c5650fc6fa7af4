use std::time::Duration;

use axum::response::IntoResponse;
use ropewalk_types::RunStatus;
use tokio::time::Instant;

use crate::stub::{self, Stub, run};

#[tokio::test(start_paused = true)]
async fn a_run_is_looked_at_as_often_as_the_server_says() {
    let stub = Stub::default();
    let client = stub.client(|count, _| match count {
        0 => ([("openai-poll-after-ms", "200")], stub::json(run(RunStatus::Queued))).into_response(),
        1 => stub::json(run(RunStatus::InProgress)),
        2 => ([("openai-poll-after-ms", "0")], stub::json(run(RunStatus::Cancelling))).into_response(),
        _ => stub::json(run(RunStatus::Cancelled)),
    });
    let begun = Instant::now();
    let ended = client.runs().wait("thread_1", "run_1").await.unwrap();
    assert_eq!(ended, run(RunStatus::Cancelled));
    assert_eq!(stub.asked().len(), 4);
    // The clock ticks in milliseconds.
    let waited = begun.elapsed().saturating_sub(Duration::from_millis(1210));
    assert!(waited <= Duration::from_millis(5), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_outputs_is_not_waited_for() {
    let client = Stub::default().client(|_, _| stub::json(run(RunStatus::RequiresAction)));
    let waiting = client.runs().wait("thread_1", "run_1").await.unwrap();
    assert_eq!(waiting.status, RunStatus::RequiresAction);
}
