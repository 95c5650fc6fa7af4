//! The floor: the smallest axum server that does what a run asks for. It writes one SQLite transaction a run and relays
//! the upstream's stream as assistants events; it checks nothing, keeps no threads and knows no errors.

use std::{
    borrow::Cow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use parking_lot::Mutex;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::server::LISTENING;

#[derive(Clone)]
struct Floor {
    upstream: Arc<str>,
    client: Client<HttpConnector, Full<Bytes>>,
    database: Arc<Mutex<Connection>>,
    ids: Arc<AtomicU64>,
}

/// Serves until the process is killed.
#[tokio::main]
pub(crate) async fn serve(upstream: String, folder: &Path) -> anyhow::Result<()> {
    let database = Connection::open(folder.join("floor.sqlite"))?;
    database.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE runs (id TEXT PRIMARY KEY, body TEXT) STRICT",
    )?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let floor = Floor {
        upstream: format!("http://{upstream}/v1/chat/completions").into(),
        client: Client::builder(TokioExecutor::new()).build(connector),
        database: Arc::new(Mutex::new(database)),
        ids: Arc::new(AtomicU64::new(1)),
    };
    let router = Router::new()
        .route("/v1/assistants", post(make))
        .route("/v1/threads", post(make))
        .route("/v1/threads/{thread}/messages", post(make))
        .route("/v1/threads/{thread}/runs", post(run))
        .with_state(floor);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("{LISTENING}{}", listener.local_addr()?);
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

/// Makes anything that has an id; the model of an assistant is its id.
async fn make(State(floor): State<Floor>, Json(mut object): Json<Value>) -> Json<Value> {
    let number = floor.ids.fetch_add(1, Ordering::Relaxed);
    object["id"] = object.get("model").cloned().unwrap_or_else(|| json!(format!("thread_{number}")));
    Json(object)
}

#[derive(Deserialize)]
struct RunRequest {
    assistant_id: String,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

/// A token's event up to its text.
const DELTA: &str = "event: thread.message.delta\ndata: {\"id\":\"msg_1\",\"object\":\"thread.message.delta\",\
                     \"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":";

async fn run(State(floor): State<Floor>, Json(request): Json<RunRequest>) -> Response {
    let id = format!("run_{}", floor.ids.fetch_add(1, Ordering::Relaxed));
    let question = json!({
        "model": request.assistant_id,
        "stream": true,
        "messages": [{"role": "user", "content": "Say 200 words."}],
    });
    let upstream = Request::post(&*floor.upstream).header(CONTENT_TYPE, "application/json");
    let answer = match upstream.body(Full::from(question.to_string())) {
        Ok(upstream) => floor.client.request(upstream).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = match answer {
        Ok(answer) => answer.into_body(),
        Err(error) => return (axum::http::StatusCode::BAD_GATEWAY, error).into_response(),
    };
    let head = ["created", "queued", "in_progress"].map(|status| {
        event(&format!("thread.run.{status}"), &json!({"id": id, "object": "thread.run", "status": status}))
    });
    let begun = [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
    ]
    .map(|name| event(name, &json!({"id": "msg_1", "object": "thread.message", "content": []})));
    let head = Bytes::from(head.concat() + &begun.concat());
    let relay = Relay { answer, floor, id, rest: Vec::new(), text: String::new(), is_over: false };
    let events = stream::once(async { head }).chain(stream::unfold(relay, Relay::next));
    let body = Body::from_stream(events.map(Ok::<_, std::convert::Infallible>));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// An answer on its way through.
struct Relay {
    answer: Incoming,
    floor: Floor,
    id: String,
    /// The head of a line whose end has not come.
    rest: Vec<u8>,
    text: String,
    is_over: bool,
}

impl Relay {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if self.is_over {
                return None;
            }
            let frame =
                self.answer.frame().await.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
            let Some(data) = frame else {
                self.is_over = true;
                return Some((self.finish().await, self));
            };
            let events = self.read(&data);
            if !events.is_empty() {
                return Some((events.into(), self));
            }
        }
    }

    fn read(&mut self, data: &[u8]) -> String {
        self.rest.extend_from_slice(data);
        let mut events = String::new();
        let mut begin = 0;
        while let Some(length) = memchr::memchr(b'\n', &self.rest[begin..]) {
            let line = &self.rest[begin..begin + length];
            begin += length + 1;
            let chunk =
                line.strip_prefix(b"data: ").and_then(|json| serde_json::from_slice::<Chunk>(json).ok());
            if let Some(Chunk { choices: [Choice { delta: Delta { content: Some(word) } }] }) = chunk {
                self.text.push_str(&word);
                let word = serde_json::to_string(&word).unwrap_or_default();
                events.push_str(DELTA);
                events.push_str(&word);
                events.push_str("}}]}}\n\n");
            }
        }
        self.rest.drain(..begin);
        events
    }

    /// Commits the run, then tells.
    async fn finish(&mut self) -> Bytes {
        let message =
            json!({"id": "msg_1", "object": "thread.message", "status": "completed", "content": self.text});
        let run = json!({"id": self.id, "object": "thread.run", "status": "completed"});
        let (database, row) = (self.floor.database.clone(), (self.id.clone(), message.to_string()));
        let commit = spawn_blocking(move || {
            database.lock().execute("INSERT INTO runs (id, body) VALUES (?1, ?2)", row)
        });
        if !matches!(commit.await, Ok(Ok(1))) {
            return Bytes::from_static(b"event: error\ndata: {}\n\n");
        }
        let events = [
            event("thread.message.completed", &message),
            event("thread.run.step.completed", &json!({"id": "step_1", "status": "completed"})),
            event("thread.run.completed", &run),
            "event: done\ndata: [DONE]\n\n".to_owned(),
        ];
        events.concat().into()
    }
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
