//! cargo run -p ropewalk-client --example ask
//!
//! Asks an assistant and prints its answer as it is written. The server is one handler in this process that knows a
//! single answer; with `Client::from_env()?` in place of `Client::embedded(…)` the same code asks a real one.
#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::io::{Write, stdout};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::post,
};
use ropewalk_client::Client;
use ropewalk_events::Event;
use ropewalk_types::{
    Assistant, CreateAssistant, CreateMessage, CreateRun, CreateThread, Message, Run, RunStatus, Thread,
    UnixSeconds,
};

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn json(object: &impl serde::Serialize) -> Response {
    serde_json::to_vec(object).unwrap_or_default().into_response()
}

/// Answers each run with the same words, and keeps nothing.
async fn run(Path(thread): Path<String>) -> Response {
    let mut run =
        Run::new("run_1".into(), thread.into(), "asst_1".into(), "a-script".into(), NOW, NOW.plus(600));
    let words = CreateMessage::assistant("");
    let message = Message::new("msg_2".into(), run.thread_id.clone(), NOW, words);
    let mut events = vec![Event::MessageCreated(Box::new(message))];
    for word in ["Three ", "strands, ", "laid ", "right-handed."] {
        let part = serde_json::json!({ "index": 0, "type": "text", "text": { "value": word } });
        let delta = serde_json::json!({ "id": "msg_2", "delta": { "content": [part] } });
        events.extend(serde_json::from_value(delta).map(Event::MessageDelta));
    }
    run.status = RunStatus::Completed;
    events.extend([Event::of_run(run), Event::Done]);
    let mut bytes = Vec::new();
    events.iter().for_each(|event| event.encode(&mut bytes, None));
    bytes.into_response()
}

fn server() -> Router {
    let assistant =
        || async { json(&Assistant::new("asst_1".into(), NOW, CreateAssistant::new("a-script"))) };
    let thread = || async { json(&Thread::new("thread_1".into(), NOW)) };
    Router::new()
        .route("/v1/assistants", post(assistant))
        .route("/v1/threads", post(thread))
        .route("/v1/threads/{thread}/runs", post(run))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::embedded(server());
    let assistant = CreateAssistant::new("a-script").instructions("You know about rope.");
    let assistant = client.assistants().create(assistant).await?;
    let question = CreateMessage::user("How is a hawser laid?");
    let thread = client.threads().create(CreateThread::new().message(question)).await?;

    let mut answer = client.runs().create_stream(&thread.id, CreateRun::new(&assistant.id)).await?.text();
    while let Some(piece) = answer.next().await {
        print!("{}", piece?);
        stdout().flush()?;
    }
    println!();
    Ok(())
}
