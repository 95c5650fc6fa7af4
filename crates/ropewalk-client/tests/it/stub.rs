use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use ropewalk_client::{Client, ClientBuilder};
use ropewalk_events::Event;
use ropewalk_types::{Run, RunStatus, UnixSeconds};
use serde_json::Value;
use tokio::net::TcpListener;

/// A server that gives each request to a function and keeps what was asked, as `POST /v1/threads {…}`.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// What was asked so far, oldest first.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A router that answers by `answer`, which is told how many requests came before.
    pub(crate) fn router<F>(&self, answer: F) -> Router
    where
        F: Fn(usize, &Parts) -> Response + Clone + Send + Sync + 'static,
    {
        let asked = self.asked.clone();
        Router::new().fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap();
            let line = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
            let count = {
                let mut asked = asked.lock().unwrap();
                asked.push(line.trim_end().to_owned());
                asked.len() - 1
            };
            answer(count, &parts)
        })
    }

    /// A client of [`router`](Self::router) in this process.
    pub(crate) fn client<F>(&self, answer: F) -> Client
    where
        F: Fn(usize, &Parts) -> Response + Clone + Send + Sync + 'static,
    {
        Client::embedded(self.router(answer))
    }
}

/// Settings of a client for `router`, which listens on a port of its own until the test is over.
pub(crate) async fn listen(router: Router) -> ClientBuilder {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Client::builder().base_url(url)
}

pub(crate) fn json(value: impl serde::Serialize) -> Response {
    let json = serde_json::to_vec(&value).unwrap();
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

/// `events` as a body that comes in pieces of 7 bytes.
pub(crate) fn sse(events: &[Event]) -> Response {
    let mut bytes = Vec::new();
    events.iter().for_each(|event| event.encode(&mut bytes, None));
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    let error = serde_json::json!({ "error": {
        "message": message, "type": "invalid_request_error", "param": "limit", "code": null
    } });
    (status, [("x-request-id", "req_7")], json(error)).into_response()
}

pub(crate) fn run(status: RunStatus) -> Run {
    let (id, thread) = ("run_1".into(), "thread_1".into());
    let mut run = Run::new(id, thread, "asst_1".into(), "gpt-4o".into(), UnixSeconds(1), UnixSeconds(601));
    run.status = status;
    run
}

/// A piece of the one message of a stream.
pub(crate) fn delta(text: &str) -> Event {
    let part = serde_json::json!({ "index": 0, "type": "text", "text": { "value": text } });
    let delta = serde_json::json!({ "id": "msg_1", "delta": { "content": [part] } });
    Event::MessageDelta(serde_json::from_value(delta).unwrap())
}

/// The one message of a stream.
pub(crate) fn message(status: &str, text: &str) -> Event {
    let content: Vec<Value> = match text {
        "" => Vec::new(),
        text => vec![serde_json::json!({ "type": "text", "text": { "value": text, "annotations": [] } })],
    };
    let message = serde_json::json!({
        "id": "msg_1", "created_at": 1, "thread_id": "thread_1", "status": status, "role": "assistant",
        "content": content,
    });
    Event::of_message(serde_json::from_value::<ropewalk_types::Message>(message).unwrap())
}
