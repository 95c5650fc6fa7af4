//! What a caller sees, and what the model's host does, when one of them goes.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use ropewalk_model::ChatCompletions;
use ropewalk_store::SystemClock;
use ropewalk_transport::{DirectLeaf, HttpLeaf, RetryPolicy, Transport};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::app::App;

const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    (listener, url)
}

fn app(model: ChatCompletions) -> App {
    App::over(Arc::new(model), App::options(), Arc::new(SystemClock))
}

/// Makes a run; gives its path.
async fn begin_run(app: &App) -> String {
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let body =
        json!({"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "Hi"}]}});
    let (status, run) = app.send(Method::POST, "/v1/threads/runs", &body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{run}");
    format!("/v1/threads/{}/runs/{}", run["thread_id"].as_str().unwrap(), run["id"].as_str().unwrap())
}

/// The run at `path`, once it is over.
async fn ended(app: &App, path: &str) -> Value {
    let over = async {
        loop {
            let (_, run) = app.send(Method::GET, path, "").await;
            if !["queued", "in_progress", "cancelling"].contains(&run["status"].as_str().unwrap()) {
                return run;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), over).await.unwrap()
}

#[tokio::test]
async fn a_run_that_is_cancelled_closes_its_connection_to_the_host() {
    for leaf in [Transport::new(DirectLeaf::new()), Transport::new(HttpLeaf::new().unwrap())] {
        let (listener, url) = listen().await;
        let app = app(ChatCompletions::with_transport(url, leaf).unwrap());
        let path = begin_run(&app).await;
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        // A host that never stops: it learns only from the closed connection that nobody listens.
        let host = tokio::spawn(async move {
            let piece = b"data: {\"choices\":[{\"delta\":{\"content\":\"rope \"}}]}\n\n";
            while socket.write_all(piece).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        });
        let (status, _) = app.send(Method::POST, &format!("{path}/cancel"), "").await;
        assert_eq!(status, StatusCode::OK);
        timeout(Duration::from_secs(10), host).await.unwrap().unwrap();
        assert_eq!(ended(&app, &path).await["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_host_that_is_gone_fails_runs_and_completions_with_a_word_of_when_to_come_again() {
    let (listener, url) = listen().await;
    drop(listener);
    let never = RetryPolicy::default().max_retries(0);
    let app = app(ChatCompletions::builder(&url).retry(never).build().unwrap());
    for _ in 0..5 {
        let (status, _) = app.send(Method::POST, "/v1/chat/completions", ASK).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
    }
    let refused = app.respond(App::request(Method::POST, "/v1/chat/completions", ASK)).await;
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(refused.headers()["retry-after"], "1");

    let path = begin_run(&app).await;
    let run = ended(&app, &path).await;
    let error = json!({
        "code": "server_error",
        "message": "Sorry, something went wrong: the model's host is not answering.",
    });
    assert_eq!((&run["status"], &run["last_error"]), (&json!("failed"), &error));
}

#[tokio::test]
async fn a_host_that_falls_silent_fails_the_run() {
    let (listener, url) = listen().await;
    let limit = Duration::from_millis(100);
    let app = app(ChatCompletions::builder(&url).idle_timeout(limit).build().unwrap());
    let path = begin_run(&app).await;
    let (mut socket, _) = listener.accept().await.unwrap();
    let said = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                data: {\"choices\":[{\"delta\":{\"content\":\"rope\"}}]}\n\n: and then nothing\n\n";
    socket.write_all(said.as_bytes()).await.unwrap();
    let run = ended(&app, &path).await;
    assert_eq!((&run["status"], &run["last_error"]["code"]), (&json!("failed"), &json!("server_error")));
    assert_eq!(run["last_error"]["message"], "Sorry, something went wrong: the model took too long.");
    let mut rest = Vec::new();
    // What was asked, and then the end of the connection.
    let closed = timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await.unwrap();
    assert!(closed.is_ok() && rest.starts_with(b"POST /v1/chat/completions "));
}
