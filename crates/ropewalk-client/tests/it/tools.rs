use axum::http::request::Parts;
use axum::response::Response;
use ropewalk_events::Event;
use ropewalk_runs::ToolDriver;
use ropewalk_tools::{Registry, tool};
use ropewalk_types::{CreateRun, RequiredAction, Run, RunStatus};
use serde_json::json;

use crate::stub::{self, Stub, delta, message, run, sse};

/// The length of a rope, in feet.
#[tool]
fn length(
    /// In fathoms.
    fathoms: u32,
) -> u32 {
    fathoms * 6
}

fn tools() -> ToolDriver {
    ToolDriver::new(Registry::new().add(length).unwrap())
}

fn waiting() -> Run {
    let call = json!({
        "id": "call_1", "type": "function", "function": { "name": "length", "arguments": "{\"fathoms\":7}" },
    });
    let mut run = run(RunStatus::RequiresAction);
    run.required_action =
        Some(RequiredAction::submit_tool_outputs(vec![serde_json::from_value(call).unwrap()]));
    run
}

/// A run that calls a tool once; streamed or not, as the client asks.
fn server(stream: bool) -> impl Fn(usize, &Parts) -> Response + Clone + Send + Sync + 'static {
    move |_, parts| {
        let submitted = parts.uri.path().ends_with("/submit_tool_outputs");
        match (stream, submitted, parts.method.as_str()) {
            (false, false, "POST") => stub::json(waiting()),
            (false, true, _) => stub::json(run(RunStatus::Queued)),
            (false, ..) => stub::json(run(RunStatus::Completed)),
            (true, false, _) => sse(&[Event::of_run(waiting()), Event::Done]),
            (true, true, _) => {
                let completed = Event::of_run(run(RunStatus::Completed));
                sse(&[message("in_progress", ""), delta("42 feet"), completed, Event::Done])
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_until_the_run_is_over() {
    let stub = Stub::default();
    let client = stub.client(server(false));
    let ended =
        client.runs().create_with_tools("thread_1", CreateRun::new("asst_1"), &tools()).await.unwrap();
    assert_eq!(ended, run(RunStatus::Completed));
    assert_eq!(
        stub.asked(),
        [
            r#"POST /v1/threads/thread_1/runs {"assistant_id":"asst_1"}"#,
            r#"POST /v1/threads/thread_1/runs/run_1/submit_tool_outputs {"tool_outputs":[{"tool_call_id":"call_1","output":"42"}]}"#,
            "GET /v1/threads/thread_1/runs/run_1",
        ]
    );
}

#[tokio::test]
async fn the_streams_of_all_rounds_are_one() {
    let stub = Stub::default();
    let client = stub.client(server(true));
    let events =
        client.runs().stream_with_tools("thread_1", CreateRun::new("asst_1"), &tools()).await.unwrap();
    let events = events.collect().await.unwrap();
    let names: Vec<&str> = events.iter().map(Event::name).collect();
    assert_eq!(
        names,
        [
            "thread.run.requires_action",
            "thread.message.in_progress",
            "thread.message.delta",
            "thread.run.completed",
            "done"
        ]
    );
    assert_eq!(
        stub.asked()[1..],
        [
            r#"POST /v1/threads/thread_1/runs/run_1/submit_tool_outputs {"tool_outputs":[{"tool_call_id":"call_1","output":"42"}],"stream":true}"#
        ]
    );
}
