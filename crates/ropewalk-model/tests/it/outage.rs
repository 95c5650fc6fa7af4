//! Upstreams that stall, break or are gone, and callers that go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use ropewalk_model::{ChatCompletions, Model, ModelErrorKind, ModelRequest};
use ropewalk_transport::{BreakerPolicy, DirectLeaf, HttpLeaf, InProcess, RetryPolicy, Transport};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::support::{events, in_process, line, listen, read, reply, transcript};

const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const HEARD: &str = "text \"Hello\"\nfinish Stop\n";
const SOON: Duration = Duration::from_secs(10);

fn request() -> ModelRequest {
    ModelRequest::new("any")
}

fn hello() -> Response {
    events([HELLO, STOP].map(Bytes::from))
}

/// Answers with this status, and well if it is 200; counts the requests.
fn moody(status: u16) -> (Router, Arc<AtomicU16>, Arc<AtomicUsize>) {
    let (status, count) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
    let (mood, counter) = (Arc::clone(&status), Arc::clone(&count));
    let answer = async move || {
        counter.fetch_add(1, SeqCst);
        match mood.load(SeqCst) {
            200 => hello(),
            status => StatusCode::from_u16(status).unwrap().into_response(),
        }
    };
    (Router::new().route("/v1/chat/completions", post(answer)), status, count)
}

/// A server whose every byte the test decides on, and the model behind each leaf.
async fn behind_each_leaf() -> Vec<(&'static str, TcpListener, ChatCompletions)> {
    let mut all = Vec::new();
    for name in ["direct", "reqwest", "as built"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let model = match name {
            "direct" => ChatCompletions::with_transport(url, Transport::new(DirectLeaf::new())),
            "reqwest" => ChatCompletions::with_transport(url, Transport::new(HttpLeaf::new().unwrap())),
            _ => ChatCompletions::new(url, None),
        };
        all.push((name, listener, model.unwrap()));
    }
    all
}

/// Takes a connection, and one request from it to its end.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut asked = Vec::new();
    let is_whole = |asked: &[u8]| {
        let head = asked.windows(4).position(|end| end == b"\r\n\r\n");
        head.is_some_and(|head| serde_json::from_slice::<Value>(&asked[head + 4..]).is_ok())
    };
    while !(asked.ends_with(b"}") && is_whole(&asked)) {
        asked.push(socket.read_u8().await.unwrap());
    }
    socket
}

#[tokio::test]
async fn a_stream_that_is_dropped_closes_its_connection_though_the_upstream_never_stops() {
    for (name, listener, model) in behind_each_leaf().await {
        let upstream = tokio::spawn(async move {
            let mut socket = accept(&listener).await;
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
            let piece = format!("{:x}\r\n{HELLO}\r\n", HELLO.len());
            // Ends only when the other side has closed.
            while socket.write_all(piece.as_bytes()).await.is_ok() {}
        });
        let mut events = model.stream(&request()).await.unwrap();
        assert_eq!(line(events.next().await.unwrap()), "text \"Hello\"\n");
        drop(events);
        timeout(SOON, upstream).await.expect(name).unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_while_the_upstream_is_silent_closes_its_connection() {
    for (name, listener, model) in behind_each_leaf().await {
        for sent in ["", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] {
            let mut answer = Box::pin(async {
                read(model.stream(&request()).await.unwrap()).await;
            });
            let mut socket = tokio::select! {
                socket = accept(&listener) => socket,
                () = answer.as_mut() => panic!("{name} answered"),
            };
            socket.write_all(sent.as_bytes()).await.unwrap();
            // As far as it gets: to where it waits for more.
            for _ in 0..100 {
                tokio::select! {
                    biased;
                    () = answer.as_mut() => panic!("{name} answered"),
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(answer);
            let closed = timeout(SOON, socket.read(&mut [0])).await.expect(name);
            assert!(matches!(closed, Ok(0) | Err(_)), "{name} {closed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn comments_of_an_upstream_are_signs_of_life_and_silence_is_none() {
    /// An answer after so many comments, each after so many seconds.
    fn drips(comments: usize, seconds: u64) -> Router {
        let answer = async move || {
            let comments = stream::iter(vec![Bytes::from_static(b": keep-alive\n\n"); comments]);
            let late = comments.chain(stream::iter([HELLO, STOP].map(Bytes::from)));
            reply(
                "text/event-stream",
                late.then(move |piece| async move {
                    sleep(Duration::from_secs(seconds)).await;
                    piece
                }),
            )
        };
        Router::new().route("/v1/chat/completions", post(answer))
    }
    let late = "error TimedOut: the model took too long; no more is known\n";
    assert_eq!(transcript(&in_process(drips(100, 50)), &request()).await, HEARD);
    assert_eq!(transcript(&in_process(drips(100, 70)), &request()).await, late);

    let passed = in_process(drips(0, 70)).pass_through("{}".into()).await.unwrap();
    let said: Vec<_> = passed.body.collect().await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].as_ref().unwrap_err().kind(), ModelErrorKind::TimedOut);
}

#[tokio::test]
async fn an_upstream_that_fails_five_times_is_left_alone_and_its_callers_are_told() {
    let (upstream, _, count) = moody(500);
    let url = listen(upstream).await;
    let address = url.split('/').nth(2).unwrap().to_owned();
    let never = RetryPolicy::default().max_retries(0);
    let model = ChatCompletions::builder(&url).retry(never.clone()).build().unwrap();
    for n in 0..5 {
        let error = match n % 2 {
            0 => model.stream(&request()).await.err().unwrap(),
            _ => model.pass_through("{}".into()).await.unwrap_err(),
        };
        assert_eq!(error.status(), Some(500));
    }
    for _ in 0..2 {
        for error in [
            model.stream(&request()).await.err().unwrap(),
            model.pass_through("{}".into()).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.is_retryable()), (ModelErrorKind::Unavailable, true));
            assert_eq!(error.to_string(), "the model's host is not answering");
            assert!(error.retry_after().is_some_and(|wait| wait <= Duration::from_secs(1)));
            assert!(!format!("{error:?}").contains(&address));
        }
    }
    assert_eq!(count.load(SeqCst), 5, "nothing was sent any more");

    let model = ChatCompletions::builder(&url).retry(never).breaker(None).build().unwrap();
    for _ in 0..10 {
        assert_eq!(model.stream(&request()).await.err().unwrap().status(), Some(500));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_ride_out_a_short_outage_and_few_of_them_look_for_its_end() {
    let (upstream, mood, count) = moody(503);
    let transport = Transport::builder(InProcess::new(upstream))
        .retry(RetryPolicy::default().deadline(Duration::from_secs(300)))
        .breaker(BreakerPolicy::default())
        .build();
    let model = &ChatCompletions::with_transport("http://upstream/v1", transport).unwrap();
    let all = future::join_all((0..50).map(|_| async { transcript(model, &request()).await }));
    let recovery = async {
        sleep(Duration::from_secs(2)).await;
        mood.store(200, SeqCst);
    };
    let (told, ()) = tokio::join!(all, recovery);
    assert!(told.iter().all(|told| told == HEARD), "{told:?}");
    // Five before it is noticed, a probe or two, and one for each answer.
    assert!((56..=57).contains(&count.load(SeqCst)), "{count:?}");
}
