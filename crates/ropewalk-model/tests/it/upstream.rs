use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use ropewalk_model::{ChatCompletions, Model, ModelError, ModelErrorKind, ModelRequest};
use ropewalk_transport::RetryPolicy;
use serde_json::json;
use tokio::sync::{Notify, oneshot};

use crate::support::{events, in_process, line, listen, read, reply, transcript};

const HELLO: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"H\xc3\xa9llo\"}}]}\n\n";
const STOP: &[u8] = b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n";
const DONE: &[u8] = b"data: [DONE]\n\n";
const HEARD: &str = "text \"Héllo\"\nfinish Stop\n";

fn request() -> ModelRequest {
    ModelRequest::new("any")
}

fn completions<H, T>(handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/v1/chat/completions", post(handler))
}

fn hello() -> Response {
    events([HELLO, STOP, DONE].map(Bytes::from_static))
}

/// Pieces, and then nothing more, but no end either.
fn hang(pieces: &'static [&'static [u8]]) -> Response {
    reply(
        "text/event-stream",
        stream::iter(pieces).map(|piece| Bytes::from_static(piece)).chain(stream::pending()),
    )
}

/// Fails `failures` times with this status and these headers, then answers. Counts all requests.
fn moody(failures: usize, status: u16, retry_after: Option<&'static str>) -> (Router, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let router = completions(async move || {
        if counter.fetch_add(1, SeqCst) >= failures {
            return hello();
        }
        let error = Json(json!({"error": {"message": "Not now.", "type": "requests", "code": "busy"}}));
        let mut response = (StatusCode::from_u16(status).unwrap(), error).into_response();
        let headers = retry_after.map(|wait| ("retry-after".parse().unwrap(), wait.parse().unwrap()));
        response.headers_mut().extend(headers.into_iter().collect::<HeaderMap>());
        response
    });
    (router, count)
}

async fn impatient(upstream: Router) -> ChatCompletions {
    ChatCompletions::builder(listen(upstream).await)
        .retry(RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(1)))
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_answer_cut_at_odd_places_arrives_over_a_socket() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let slot = Arc::clone(&seen);
    let url = listen(completions(async move |headers: HeaderMap| {
        *slot.lock().unwrap() = headers;
        let bytes = [HELLO, STOP, DONE].concat();
        let pieces: Vec<Bytes> = bytes.chunks(5).map(Bytes::copy_from_slice).collect();
        // A yield between the pieces lets each be sent alone.
        reply(
            "text/event-stream",
            stream::iter(pieces).then(async |piece| {
                tokio::task::yield_now().await;
                piece
            }),
        )
    }))
    .await;
    let model = ChatCompletions::new(url, Some("sk-hidden".into())).unwrap();
    assert_eq!(transcript(&model, &request()).await, HEARD);
    let headers = seen.lock().unwrap();
    assert_eq!(
        (&headers["authorization"], &headers["content-type"]),
        (&"Bearer sk-hidden".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert!(!format!("{model:?}").contains("hidden"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (upstream, count) = moody(1, 429, Some("0"));
    assert_eq!(transcript(&impatient(upstream).await, &request()).await, HEARD);
    assert_eq!(count.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_when_it_says() {
    let (upstream, _) = moody(1, 429, Some("7"));
    let start = tokio::time::Instant::now();
    assert_eq!(transcript(&in_process(upstream), &request()).await, HEARD);
    assert_eq!(start.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_busy_is_reported_with_its_wait() {
    let (upstream, count) = moody(9, 429, Some("20"));
    let error = in_process(upstream).stream(&request()).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.status(), count.load(SeqCst)),
        (ModelErrorKind::RateLimited, Some(429), 3)
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
    assert_eq!((error.upstream_message(), error.code()), (Some("Not now."), Some("busy")));
}

#[tokio::test]
async fn a_broken_server_is_given_up_after_three_tries_and_a_refusal_after_one() {
    for (status, tries, kind) in [
        (500, 3, ModelErrorKind::Unavailable),
        (400, 1, ModelErrorKind::InvalidRequest),
        (401, 1, ModelErrorKind::Unauthorized),
    ] {
        let (upstream, count) = moody(9, status, None);
        let error = impatient(upstream).await.stream(&request()).await.err().unwrap();
        assert_eq!((error.kind(), error.status(), count.load(SeqCst)), (kind, Some(status), tries));
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let model = ChatCompletions::builder(url).retry(RetryPolicy::default().max_retries(0)).build().unwrap();
    let error = model.stream(&request()).await.err().unwrap();
    assert_eq!((error.kind(), error.is_retryable()), (ModelErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_interruption_and_is_not_tried_again() {
    let (heard, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (signal, counter) = (Arc::clone(&heard), Arc::clone(&count));
    let upstream = completions(async move || {
        counter.fetch_add(1, SeqCst);
        let death = stream::once(async move {
            signal.notified().await;
            Err("the server died")
        });
        let pieces = stream::iter([Ok(Bytes::from_static(HELLO))]).chain(death);
        Response::builder().body(Body::from_stream(pieces)).unwrap()
    });
    let mut events = impatient(upstream).await.stream(&request()).await.unwrap();
    assert_eq!(line(events.next().await.unwrap()), "text \"Héllo\"\n");
    heard.notify_one();
    let broken = "error Interrupted: the model's answer broke off before its end; no more is known\n";
    assert_eq!((read(events).await.as_str(), count.load(SeqCst)), (broken, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_times_out() {
    let told = transcript(&in_process(completions(async || hang(&[HELLO]))), &request()).await;
    assert_eq!(told, "text \"Héllo\"\nerror TimedOut: the model took too long; no more is known\n");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_behind_the_finish_takes_nothing_from_the_answer() {
    for (pieces, seconds) in [(&[HELLO, STOP][..], 60), (&[HELLO, STOP, DONE], 1)] {
        let start = tokio::time::Instant::now();
        assert_eq!(transcript(&in_process(completions(async move || hang(pieces))), &request()).await, HEARD);
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn the_limits_of_the_builder_hold_over_a_socket() {
    let limit = Duration::from_millis(10);
    let late = "error TimedOut: the model took too long; no more is known\n";
    let builder = ChatCompletions::builder(listen(completions(async || hang(&[HELLO]))).await);
    let told = transcript(&builder.idle_timeout(limit).build().unwrap(), &request()).await;
    assert_eq!(told, format!("text \"Héllo\"\n{late}"));

    for upstream in [completions(std::future::pending::<Response>), completions(async || hang(&[]))] {
        let builder = ChatCompletions::builder(listen(upstream).await);
        let builder = builder.first_byte_timeout(limit).idle_timeout(limit);
        assert_eq!(transcript(&builder.build().unwrap(), &request()).await, late);
    }
}

#[tokio::test]
async fn a_server_learns_that_a_stream_was_dropped() {
    let (guard, gone) = oneshot::channel::<()>();
    let guard = Arc::new(Mutex::new(Some(guard)));
    let url = listen(completions(async move || {
        let guard = guard.lock().unwrap().take();
        let pieces = stream::iter([Bytes::from_static(HELLO)]).chain(stream::pending());
        reply("text/event-stream", pieces.inspect(move |_| assert!(guard.is_some())))
    }))
    .await;
    let mut stream = ChatCompletions::new(url, None).unwrap().stream(&request()).await.unwrap();
    assert_eq!(line(stream.next().await.unwrap()), "text \"Héllo\"\n");
    drop(stream);
    assert!(gone.await.is_err(), "the server has dropped its side");
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream_was_read_to_its_end() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&seen);
    let upstream = completions(async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        slot.lock().unwrap().push(peer);
        hello()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let service = upstream.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await });

    let model = ChatCompletions::new(url, None).unwrap();
    for _ in 0..3 {
        assert_eq!(read(model.stream(&request()).await.unwrap()).await, HEARD);
    }
    let peers = seen.lock().unwrap();
    assert!(peers.len() == 3 && peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
}

#[tokio::test]
async fn models_are_listed_whatever_the_form_of_the_list() {
    for (list, ids) in [
        (
            json!({"object": "list", "data": [{"id": "a", "created": 7, "owned_by": "me"}, {"id": "b"}]}),
            vec!["a", "b"],
        ),
        (
            json!([{"id": "a", "object": "model", "created": null, "owned_by": null, "type": "chat"}]),
            vec!["a"],
        ),
        (json!({"object": "list", "data": null}), vec![]),
    ] {
        let upstream = Router::new().route("/v1/models", get(async move || Json(list)));
        let models = in_process(upstream).models().await.unwrap();
        assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ids);
    }
    let upstream = Router::new().route("/v1/models", get(async || "welcome"));
    assert_eq!(in_process(upstream).models().await.unwrap_err().kind(), ModelErrorKind::Protocol);
}

#[tokio::test]
async fn a_model_is_found_by_its_page_or_in_the_list() {
    let page = async |Path(id): Path<String>| match id.as_str() {
        "org/rope 1" => Ok(Json(json!({"id": id, "created": 7, "owned_by": "me"}))),
        "broken" => Err(StatusCode::UNPROCESSABLE_ENTITY),
        _ => Err(StatusCode::NOT_FOUND),
    };
    let pages = Router::new().route("/v1/models/{id}", get(page));
    let list = get(async || Json(json!({"data": [{"id": "listed"}]})));
    let both = in_process(pages.clone().route("/v1/models", list));
    let found = async |model: &ChatCompletions, id: &str| -> Result<Option<String>, ModelError> {
        Ok(model.model(&id.into()).await?.map(|model| model.id.to_string()))
    };
    for (id, expected) in
        [("org/rope 1", true), ("listed", true), ("unknown", false), ("..", false), ("", false)]
    {
        assert_eq!(found(&both, id).await.unwrap(), expected.then(|| id.to_owned()));
    }
    assert_eq!(found(&both, "broken").await.unwrap_err().kind(), ModelErrorKind::InvalidRequest);
    assert_eq!(found(&in_process(pages), "unknown").await.unwrap(), None);
}

#[test]
fn a_base_url_that_cannot_work_is_refused_at_once() {
    for url in ["", "localhost:8080", "/v1", "ftp://host/v1", "http://key@host/v1", "https://host/v1?key=1"] {
        let error = ChatCompletions::new(url, None).unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::InvalidRequest, "{url}");
        assert!(!format!("{error:?}").contains("key="));
    }
    let error = ChatCompletions::new("http://host", Some("sk-hidden\n".into())).unwrap_err();
    assert!(!format!("{error:?}").contains("hidden"));
}
