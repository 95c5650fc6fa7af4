use std::{io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseResult};
use ropewalk_client::{Client, ClientError, ReplyStream};
use ropewalk_events::Event;
use ropewalk_transport::RetryPolicy;
use ropewalk_types::{CreateRun, ErrorObject, RunStatus};
use tokio::time::Instant;

use crate::{
    streams::conversation,
    stub::{self, Stub, delta, refusal, run, sse},
};

/// All events of a run that waits for outputs once, without the one that ends a stream.
fn all() -> Vec<Event> {
    let mut all = vec![
        Event::RunCreated(Box::new(run(RunStatus::Queued))),
        Event::of_run(run(RunStatus::InProgress)),
        Event::of_run(run(RunStatus::RequiresAction)),
        Event::of_run(run(RunStatus::Queued)),
    ];
    all.extend(conversation().drain(1..7));
    all
}

/// The `RunRequiresAction` of [`all`].
const WAITS: usize = 3;

/// How a connection ends before it is done.
#[derive(Debug, Clone)]
enum Fault {
    /// Its body ends here, cleanly or not.
    Cut { at: usize, cleanly: bool },
    /// It is refused for now.
    Refused,
}

fn fault() -> impl Strategy<Value = Fault> {
    let cut = (0..3000usize, any::<bool>()).prop_map(|(at, cleanly)| Fault::Cut { at, cleanly });
    prop_oneof![4 => cut, 1 => Just(Fault::Refused)]
}

/// `events` with their numbers, the first of which is `first`, kept alive on the way, then `done`.
fn numbered(events: &[Event], first: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (event, number) in events.iter().zip(first..) {
        bytes.extend_from_slice(b": keep-alive\n");
        event.encode(&mut bytes, Some(number));
    }
    Event::Done.encode(&mut bytes, None);
    bytes
}

fn reply(bytes: &[u8], fault: Option<&Fault>) -> Response {
    let (end, cleanly) = match fault {
        Some(Fault::Refused) => return refusal(StatusCode::SERVICE_UNAVAILABLE, "restarting"),
        Some(Fault::Cut { at, cleanly }) => (bytes.len().min(*at), *cleanly),
        None => (bytes.len(), true),
    };
    let pieces = bytes[..end].chunks(50).map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let broken = (!cleanly).then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    let pieces: Vec<Result<Bytes, io::Error>> = pieces.chain(broken).collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// The bytes of a stream until it has told which run it is of.
fn begun() -> usize {
    numbered(&all()[..1], 1).len()
}

/// The number that a request for events begins behind.
fn starting_after(parts: &Parts) -> usize {
    assert_eq!(parts.uri.path(), "/v1/threads/thread_1/runs/run_1/events");
    parts.uri.query().unwrap().strip_prefix("starting_after=").unwrap().parse().unwrap()
}

/// A server that numbers its events. Its first stream has `first` of them; a later one has `repeated` more than asked.
fn server(
    first: usize,
    repeated: usize,
    faults: Vec<Fault>,
) -> impl Fn(usize, &Parts) -> Response + Clone + Send + Sync + 'static {
    move |count, parts| {
        let all = all();
        let bytes = match parts.method.as_str() {
            "POST" => numbered(&all[..first], 1),
            _ => {
                let begin = starting_after(parts).saturating_sub(repeated);
                numbered(&all[begin..], begin as u64 + 1)
            }
        };
        reply(&bytes, faults.get(count))
    }
}

fn patient(client: Client) -> Client {
    client.with_resume(RetryPolicy::default().max_retries(20))
}

async fn stream(client: &Client) -> ReplyStream<Event> {
    client.runs().create_stream("thread_1", CreateRun::new("asst_1")).await.unwrap()
}

/// Runs one case with a clock of its own, which nobody waits for.
fn case(future: impl Future<Output = TestCaseResult>) -> TestCaseResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Wherever connections break, a stream that was once begun has each event once, in order.
    #[test]
    fn a_run_is_one_stream_whatever_breaks(more in 0..3000usize, faults in vec(fault(), 0..20), repeated in 0..3usize) {
        case(async {
            let mut expected = all().split_off(WAITS);
            expected.push(Event::Done);
            let first = Fault::Cut { at: begun() + more, cleanly: more % 2 == 0 };
            let faults = [vec![first], faults].concat();
            let client = patient(Stub::default().client(move |count, parts| match parts.method.as_str() {
                // As if outputs had been submitted with this request.
                "POST" => reply(&numbered(&all()[WAITS..], WAITS as u64 + 1), faults.get(count)),
                _ => server(0, repeated, faults.clone())(count, parts),
            }));
            let seen = stream(&client).await.collect().await;
            prop_assert_eq!(seen.unwrap(), expected);
            Ok(())
        })?;
    }

    /// A stream that broke ends where it would have ended: where the run waits for outputs, though it went on since.
    #[test]
    fn a_stream_ends_where_its_run_waits(more in 0..3000usize, faults in vec(fault(), 0..20)) {
        case(async {
            let mut expected = all()[..WAITS].to_vec();
            expected.push(Event::Done);
            let faults = [vec![Fault::Cut { at: begun() + more, cleanly: true }], faults].concat();
            let client = patient(Stub::default().client(server(WAITS, 0, faults)));
            prop_assert_eq!(stream(&client).await.collect().await.unwrap(), expected);
            Ok(())
        })?;
    }

    /// Who attaches to a run sees all of it from where they want, over its wait for outputs.
    #[test]
    fn whoever_attaches_sees_the_rest(after in 0..10u64, faults in vec(fault(), 0..20)) {
        case(async {
            let mut expected = all().split_off(after as usize);
            expected.push(Event::Done);
            // The first request is a call like any other: it is tried twice more, then its refusal is the answer.
            let faults = [vec![Fault::Cut { at: 700, cleanly: false }], faults].concat();
            let client = patient(Stub::default().client(server(0, 0, faults)));
            let mut events = client.runs().events("thread_1", "run_1", after).await.unwrap();
            let mut seen = Vec::new();
            while let Some(event) = events.next().await {
                seen.push(event.unwrap());
            }
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(events.last_event(), Some(all().len() as u64));
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_numbers_is_not_asked_to_go_on() {
    let stub = Stub::default();
    let client = stub.client(|_, _| sse(&conversation()[..5]));
    let mut events = stream(&client).await;
    for event in &conversation()[..5] {
        assert_eq!(&events.next().await.unwrap().unwrap(), event);
    }
    assert!(matches!(events.next().await, Some(Err(ClientError::CutOff))));
    assert!(events.next().await.is_none());
    assert_eq!((stub.asked().len(), events.last_event()), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_go_on_leaves_the_error_as_it_was() {
    let page = || ([(CONTENT_TYPE, "text/html")], "<!doctype html>").into_response();
    let answers: [fn() -> Response; 3] = [
        || refusal(StatusCode::NOT_FOUND, "Invalid URL"),
        || refusal(StatusCode::METHOD_NOT_ALLOWED, "Not allowed"),
        page,
    ];
    for answer in answers {
        let stub = Stub::default();
        let client = stub.client(move |count, _| match count {
            0 => reply(&numbered(&all(), 1), Some(&Fault::Cut { at: 1000, cleanly: true })),
            _ => answer(),
        });
        let error = stream(&client).await.collect().await.unwrap_err();
        assert!(matches!(error, ClientError::CutOff), "{error:?}");
        assert_eq!(stub.asked().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_to_go_on_says_why() {
    let client = Stub::default().client(|count, _| match count {
        0 => reply(&numbered(&all(), 1), Some(&Fault::Cut { at: 1000, cleanly: true })),
        _ => refusal(StatusCode::UNAUTHORIZED, "revoked"),
    });
    let error = stream(&client).await.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 401: revoked");
}

#[tokio::test(start_paused = true)]
async fn tries_end_and_the_last_failure_is_the_error() {
    let stub = Stub::default();
    let policy =
        RetryPolicy::default().max_retries(3).backoff(Duration::from_secs(1), Duration::from_secs(1));
    let client = stub.client(|count, _| match count {
        0 => reply(&numbered(&all(), 1), Some(&Fault::Cut { at: 1000, cleanly: false })),
        // No event comes, so that this begins nothing anew.
        1 => reply(&numbered(&all(), 1), Some(&Fault::Cut { at: 7, cleanly: true })),
        2 => {
            ([("retry-after", "30")], refusal(StatusCode::SERVICE_UNAVAILABLE, "restarting")).into_response()
        }
        _ => refusal(StatusCode::BAD_GATEWAY, "gone"),
    });
    let client = client.with_resume(policy);
    let begun = Instant::now();
    let error = stream(&client).await.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 502: gone");
    assert_eq!(stub.asked().len(), 4);
    // Two waits of up to a second, and the one that the server asked for.
    assert!((31..=33).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_begins_the_count_of_tries_anew() {
    let stub = Stub::default();
    let client = stub.client(|count, parts| {
        let begin = if count == 0 { 0 } else { starting_after(parts) };
        // One event a connection.
        let bytes = numbered(&all()[begin..begin + 1], begin as u64 + 1);
        reply(&bytes, Some(&Fault::Cut { at: bytes.len() - 5, cleanly: true }))
    });
    let client = client.with_resume(RetryPolicy::default().max_retries(1));
    // `create_stream` ends where the run waits; this begins behind.
    let events = client.runs().events("thread_1", "run_1", 0).await.unwrap();
    assert_eq!(events.collect().await.unwrap().len(), all().len() + 1);
    assert_eq!(stub.asked().len(), all().len());
}

#[tokio::test(start_paused = true)]
async fn a_break_behind_the_end_of_a_run_is_none() {
    let stub = Stub::default();
    let whole = numbered(&all()[..WAITS], 1).len();
    let faults = vec![Fault::Cut { at: whole - "event: done\ndata: [DONE]\n\n".len(), cleanly: false }];
    let client = stub.client(server(WAITS, 0, faults));
    let events = stream(&client).await.collect().await.unwrap();
    assert_eq!((events.len(), events.last()), (WAITS + 1, Some(&Event::Done)));
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_breaks_off_itself_is_not_asked_for_again() {
    let stub = Stub::default();
    let client = stub.client(|_, _| {
        let mut bytes = Vec::new();
        all()[0].encode(&mut bytes, Some(1));
        Event::Error(Box::new(ErrorObject::server("snapped"))).encode(&mut bytes, None);
        reply(&bytes, None)
    });
    let mut events = stream(&client).await;
    assert_eq!(events.next().await.unwrap().unwrap(), all()[0]);
    assert!(matches!(events.next().await, Some(Ok(Event::Error(_)))));
    assert!(matches!(events.next().await, Some(Err(ClientError::CutOff))));
    assert!(events.next().await.is_none());
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_is_an_error_once() {
    let client = Stub::default().client(|count, parts| {
        let mut bytes = Vec::new();
        match count {
            0 => {
                all()[0].encode(&mut bytes, Some(1));
                bytes.extend_from_slice(b"event: thread.run.queued\nid: 2\ndata: {}\n\n");
            }
            _ => {
                assert_eq!(starting_after(parts), 2);
                delta("on").encode(&mut bytes, Some(3));
                Event::of_run(run(RunStatus::Completed)).encode(&mut bytes, Some(4));
            }
        }
        reply(&bytes, None)
    });
    let mut events = stream(&client).await;
    assert_eq!(events.next().await.unwrap().unwrap(), all()[0]);
    assert!(matches!(events.next().await, Some(Err(ClientError::Stream(_)))));
    assert_eq!(events.next().await.unwrap().unwrap(), delta("on"));
    assert_eq!(events.next().await.unwrap().unwrap(), Event::of_run(run(RunStatus::Completed)));
    assert_eq!(events.next().await.unwrap().unwrap(), Event::Done);
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn resuming_can_be_switched_off() {
    let stub = Stub::default();
    let faults = vec![Fault::Cut { at: 1000, cleanly: true }];
    let client = stub.client(server(8, 0, faults)).with_resume(RetryPolicy::default().max_retries(0));
    let error = stream(&client).await.collect().await.unwrap_err();
    assert!(matches!(error, ClientError::CutOff), "{error:?}");
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn a_run_that_is_not_there_is_an_error_of_the_call() {
    let client = Stub::default().client(|_, _| refusal(StatusCode::NOT_FOUND, "No run found"));
    let error = client.runs().events("thread_1", "run_1", 0).await.unwrap_err();
    assert_eq!(error.status(), Some(404));
}

#[tokio::test]
async fn a_stream_over_sockets_goes_on_where_it_broke() {
    let stub = Stub::default();
    let faults = vec![Fault::Cut { at: 1000, cleanly: false }, Fault::Cut { at: 900, cleanly: true }];
    let soon = RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(1));
    let builder = stub::listen(stub.router(server(WAITS, 0, faults))).await;
    let client = builder.resume(soon).build().unwrap();
    let events = stream(&client).await.collect().await.unwrap();
    assert_eq!((events.len(), &events[..WAITS]), (WAITS + 1, &all()[..WAITS]));
}
