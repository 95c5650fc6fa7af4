use axum::body::Body;
use http::{Method, Request, StatusCode};
use ropewalk_model::Turn;
use serde_json::{Value, json};

use crate::app::App;

/// One line of the transcript: what was sent, and how it was answered.
fn line(sent: &str, (status, body): (StatusCode, Value)) -> String {
    let error = &body["error"];
    let text = |key: &str| error[key].as_str().unwrap_or("-").to_owned();
    format!(
        "{sent}\n    {} {} | {} | {}\n    {}",
        status.as_u16(),
        text("type"),
        text("param"),
        text("code"),
        text("message")
    )
}

#[tokio::test]
async fn bad_requests_are_answered_in_the_words_of_the_api() {
    let app = App::new([]);
    let thread = app.make("/v1/threads", "").await;
    let mut transcript = Vec::new();
    let long = "x".repeat(257);
    let pairs: Vec<String> = (0..17).map(|n| format!(r#""k{n}":"v""#)).collect();
    for (method, path, body) in [
        (Method::GET, "/v1/nowhere".to_owned(), String::new()),
        (Method::PUT, "/v1/threads".to_owned(), String::new()),
        (Method::POST, "/v1/assistants".to_owned(), "{".to_owned()),
        (Method::POST, "/v1/assistants".to_owned(), "{}".to_owned()),
        (Method::POST, "/v1/assistants".to_owned(), r#"["m"]"#.to_owned()),
        (Method::POST, "/v1/assistants".to_owned(), r#"{"model":"m","model":"n"}"#.to_owned()),
        (Method::GET, "/v1/assistants?limit=-1".to_owned(), String::new()),
        (Method::POST, "/v1/assistants".to_owned(), r#"{"model":7}"#.to_owned()),
        (Method::POST, "/v1/assistants".to_owned(), r#"{"model":"m","role":"user"}"#.to_owned()),
        (Method::POST, "/v1/assistants".to_owned(), r#"{"model":"m","metadata":[]}"#.to_owned()),
        (
            Method::POST,
            "/v1/assistants".to_owned(),
            format!(r#"{{"model":"m","metadata":{{{}}}}}"#, pairs.join(",")),
        ),
        (Method::POST, "/v1/assistants".to_owned(), format!(r#"{{"model":"m","name":"{long}"}}"#)),
        (Method::POST, "/v1/assistants".to_owned(), r#"{"model":"m","temperature":3}"#.to_owned()),
        (
            Method::POST,
            "/v1/assistants".to_owned(),
            r#"{"model":"m","tools":[{"type":"retrieval"}]}"#.to_owned(),
        ),
        (
            Method::POST,
            "/v1/assistants".to_owned(),
            r#"{"model":"m","tools":[{"type":"function","function":{}}]}"#.to_owned(),
        ),
        (
            Method::POST,
            "/v1/assistants".to_owned(),
            r#"{"model":"m","tools":[{"type":"function","function":{"name":"a b"}}]}"#.to_owned(),
        ),
        (Method::POST, "/v1/assistants".to_owned(), format!(r#"{{"model":"{}"}}"#, "m".repeat(5000))),
        (Method::GET, "/v1/assistants?limit=101".to_owned(), String::new()),
        (Method::GET, "/v1/assistants?limit=0".to_owned(), String::new()),
        (Method::GET, "/v1/assistants?limit=many".to_owned(), String::new()),
        (Method::GET, "/v1/assistants?order=up".to_owned(), String::new()),
        (Method::GET, "/v1/assistants?after=asst_x".to_owned(), String::new()),
        (Method::GET, "/v1/assistants/undefined".to_owned(), String::new()),
        (Method::GET, "/v1/assistants/asst_x".to_owned(), String::new()),
        (Method::GET, "/v1/threads/thread_x".to_owned(), String::new()),
        (Method::GET, "/v1/threads/thread_x/messages".to_owned(), String::new()),
        (Method::GET, format!("/v1/threads/{thread}/messages/msg_x"), String::new()),
        (Method::GET, format!("/v1/threads/{thread}/runs/run_x"), String::new()),
        (
            Method::POST,
            format!("/v1/threads/{thread}/messages"),
            r#"{"role":"system","content":"x"}"#.to_owned(),
        ),
        (
            Method::POST,
            format!("/v1/threads/{thread}/messages"),
            r#"{"role":"user","content":[]}"#.to_owned(),
        ),
        (Method::POST, format!("/v1/threads/{thread}/messages"), r#"{"role":"user","content":5}"#.to_owned()),
        (Method::POST, format!("/v1/threads/{thread}/runs"), r#"{"assistant_id":"asst_x"}"#.to_owned()),
        (
            Method::POST,
            format!("/v1/threads/{thread}/runs"),
            r#"{"assistant_id":"asst_x","max_prompt_tokens":5}"#.to_owned(),
        ),
    ] {
        let shown: String = body.chars().take(70).collect();
        let sent = format!("{method} {path} {shown}").replace(&thread, "thread_1");
        let answer = app.send(method, &path, &body).await;
        assert!(answer.0.is_client_error(), "{sent}: {answer:?}");
        transcript.push(line(&sent, answer));
    }
    insta::assert_snapshot!(transcript.join("\n"));
}

#[tokio::test]
async fn a_request_without_the_right_headers_is_refused() {
    let app = App::new([]);
    let request = || Request::get("/v1/assistants");
    let beta = ("openai-beta", "assistants=v2");
    let mut transcript = Vec::new();
    for (sent, request) in [
        ("no key", request().header(beta.0, beta.1)),
        (
            "a wrong key",
            request().header(beta.0, beta.1).header("authorization", "Bearer sk-0123456789abcdef"),
        ),
        ("no beta", request().header("authorization", "Bearer sk-a")),
        ("an old beta", request().header("authorization", "Bearer sk-a").header(beta.0, "assistants=v1")),
        (
            "another organisation",
            request()
                .header("authorization", "Bearer sk-a")
                .header(beta.0, beta.1)
                .header("openai-organization", "org-b"),
        ),
    ] {
        let answer = app.raw(request.body(Body::empty()).unwrap()).await;
        transcript.push(line(sent, answer));
    }
    insta::assert_snapshot!(transcript.join("\n"));
}

#[tokio::test]
async fn a_busy_thread_says_which_run_holds_it() {
    let app = App::new([Turn::new().stall()]);
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let thread = app.make("/v1/threads", "").await;
    let runs = format!("/v1/threads/{thread}/runs");
    let body = json!({ "assistant_id": assistant }).to_string();
    let run = app.make(&runs, &body).await;
    let message = r#"{"role":"user","content":"x"}"#;
    let (_, refused) = app.send(Method::POST, &format!("/v1/threads/{thread}/messages"), message).await;
    assert_eq!(
        refused["error"]["message"],
        format!("Can't add messages to {thread} while a run {run} is active.")
    );
    let (_, refused) = app.send(Method::POST, &runs, &body).await;
    assert_eq!(refused["error"]["message"], format!("Thread {thread} already has an active run {run}."));
    let outputs = format!("{runs}/{run}/submit_tool_outputs");
    let (status, _) = app.send(Method::POST, &outputs, r#"{"tool_outputs":[]}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, deleted) = app.send(Method::DELETE, &format!("/v1/threads/{thread}"), "").await;
    assert_eq!(deleted, json!({ "id": thread, "object": "thread.deleted", "deleted": true }));
}
