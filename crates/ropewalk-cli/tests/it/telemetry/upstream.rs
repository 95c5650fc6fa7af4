use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the upstream's model says in the end.
pub(super) const ANSWER: &str = "The heron nests in the willow.";
/// A prompt that the upstream refuses, and repeats in its refusal.
pub(super) const REFUSED: &str = "refuse the kingfisher";

/// A Chat Completions server that first searches, then answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Upstream {
    /// The header `traceparent` of each request.
    pub(super) parents: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Serves until the test ends; gives its base URL.
    pub(super) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        base
    }
}

async fn complete(State(upstream): State<Upstream>, headers: HeaderMap, body: String) -> Response {
    let parent = headers.get("traceparent").map(|parent| parent.to_str().unwrap().to_owned());
    upstream.parents.lock().unwrap().push(parent.unwrap_or_default());
    if body.contains(REFUSED) {
        let error = json!({"error": {"message": format!("I cannot take: {body}"), "code": "content_policy"}});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    let request: Value = serde_json::from_str(&body).unwrap();
    let searched = request["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool");
    let (delta, reason) = if searched || request["tools"].is_null() {
        (json!({"role": "assistant", "content": ANSWER}), "stop")
    } else {
        let call = json!({"name": "file_search", "arguments": r#"{"queries":["heron"]}"#});
        let call = json!({"index": 0, "id": "call_1", "type": "function", "function": call});
        (json!({"role": "assistant", "tool_calls": [call]}), "tool_calls")
    };
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18});
    let chunks = [
        json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}),
        json!({"id": "c", "choices": [], "usage": usage}),
    ];
    let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    ([("content-type", "text/event-stream")], events + "data: [DONE]\n\n").into_response()
}
