use async_trait::async_trait;
use axum::http::StatusCode;
use ropewalk_client::ClientError;
use ropewalk_events::{Event, EventHandler};
use ropewalk_types::{CreateRun, ErrorObject, LastError, LastErrorCode, Run, RunStatus, Text, TextDelta};

use crate::stub::{Stub, delta, listen, message, refusal, run, sse};

pub(crate) fn conversation() -> Vec<Event> {
    vec![
        Event::RunCreated(Box::new(run(RunStatus::Queued))),
        Event::of_run(run(RunStatus::InProgress)),
        message("in_progress", ""),
        delta("Laid "),
        delta("well."),
        message("completed", "Laid well."),
        Event::of_run(run(RunStatus::Completed)),
        Event::Done,
    ]
}

#[tokio::test]
async fn a_stream_over_a_socket_gives_every_event() {
    let stub = Stub::default();
    let client = listen(stub.router(|_, _| sse(&conversation()))).await.build().unwrap();
    let events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
    assert_eq!(events.collect().await.unwrap(), conversation());
    assert_eq!(stub.asked(), [r#"POST /v1/threads/thread_1/runs {"assistant_id":"asst_1","stream":true}"#]);
}

#[tokio::test]
async fn events_without_the_last_one_are_an_error() {
    let client = Stub::default().client(|_, _| sse(&conversation()[..4]));
    let mut events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
    for event in &conversation()[..4] {
        assert_eq!(&events.next().await.unwrap().unwrap(), event);
    }
    assert!(matches!(events.next().await, Some(Err(ClientError::CutOff))));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_refused_stream_is_an_error_of_the_call() {
    let client = Stub::default().client(|_, _| refusal(StatusCode::BAD_REQUEST, "already active"));
    let error = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 400: already active");
}

#[tokio::test]
async fn text_is_what_the_deltas_bring() {
    let client = Stub::default().client(|_, _| sse(&conversation()));
    let events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
    assert_eq!(events.text().collect().await.unwrap(), ["Laid ", "well."]);
}

#[tokio::test]
async fn text_of_a_run_that_fails_ends_with_an_error() {
    let mut failed = run(RunStatus::Failed);
    failed.last_error = Some(LastError { code: LastErrorCode::ServerError, message: "out of hemp".into() });
    let endings = [
        (Event::of_run(failed), "the run ended as failed: out of hemp"),
        (Event::of_run(run(RunStatus::Expired)), "the run ended as expired"),
        (
            Event::Error(Box::new(ErrorObject::server("snapped"))),
            "the server broke the event stream off: snapped",
        ),
    ];
    for (ending, words) in endings {
        let client = Stub::default().client(move |_, _| {
            sse(&[message("in_progress", ""), delta("Laid "), ending.clone(), Event::Done])
        });
        let events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
        let mut text = events.text();
        assert_eq!(text.next().await.unwrap().unwrap(), "Laid ");
        assert_eq!(text.next().await.unwrap().unwrap_err().to_string(), words);
    }
}

#[derive(Default)]
struct Notes(Vec<String>);

#[async_trait]
impl EventHandler for Notes {
    async fn on_text_delta(&mut self, delta: &TextDelta, snapshot: &Text) {
        self.0.push(format!("{} of {}", delta.value.as_deref().unwrap_or_default(), snapshot.value));
    }

    async fn on_run_done(&mut self, run: &Run) {
        self.0.push(run.status.to_string());
    }
}

#[tokio::test]
async fn a_handler_is_told_and_the_sum_comes_back() {
    let client = Stub::default().client(|_, _| sse(&conversation()));
    let events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
    let (notes, snapshot) = events.drive(Notes::default()).await.unwrap();
    assert_eq!(notes.0, ["Laid  of Laid ", "well. of Laid well.", "completed"]);
    assert_eq!(snapshot.messages()[0].text(), "Laid well.");

    let events = client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap();
    assert_eq!(events.snapshot().await.unwrap().run(), Some(&run(RunStatus::Completed)));
}
