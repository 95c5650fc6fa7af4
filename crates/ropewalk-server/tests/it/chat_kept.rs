//! Answers that are kept, and read again.

use axum::{Router, body::Body, response::Response, routing::post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use ropewalk_model::{ChatCompletions, Turn};
use ropewalk_store::SystemClock;
use ropewalk_transport::{InProcess, Transport};
use serde_json::{Value, json};

use crate::app::App;

const CHAT: &str = "/v1/chat/completions";

/// Asks to keep the answer, and gives its id.
async fn kept(app: &App, model: &str, metadata: Value) -> String {
    let body = json!({
        "model": model, "store": true, "metadata": metadata,
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        ],
    });
    app.make(CHAT, &body.to_string()).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_answer_is_kept_with_its_messages_until_it_is_deleted() {
    let app = App::new([Turn::text("Hello there.")]);
    let id = kept(&app, "m", json!({"a": "1"})).await;
    let path = format!("{CHAT}/{id}");
    let (status, answer) = app.send(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&answer["object"], &answer["choices"][0]["message"]["content"], &answer["metadata"]),
        (&json!("chat.completion"), &json!("Hello there."), &json!({"a": "1"}))
    );
    let (_, messages) = app.send(Method::GET, &format!("{path}/messages"), "").await;
    let message = |place: usize, role: &str, content: Value, parts: Value| {
        json!({
            "id": format!("{id}-{place}"), "role": role, "content": content, "refusal": null, "content_parts": parts,
        })
    };
    assert_eq!(
        messages,
        json!({
            "object": "list",
            "data": [
                message(0, "developer", json!("Be kind."), Value::Null),
                message(1, "user", Value::Null, json!([{"type": "text", "text": "Hi"}])),
            ],
            "first_id": format!("{id}-0"), "last_id": format!("{id}-1"), "has_more": false,
        })
    );
    let (_, page) = app.send(Method::GET, &format!("{path}/messages?order=desc&limit=1"), "").await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![format!("{id}-1").as_str()], &json!(true)));

    let (_, changed) = app.send(Method::POST, &path, r#"{"metadata":{"b":"2"}}"#).await;
    let mut expected = answer;
    expected["metadata"] = json!({"b": "2"});
    assert_eq!(changed, expected);
    let (_, cleared) = app.send(Method::POST, &path, r#"{"metadata":null}"#).await;
    assert_eq!(cleared["metadata"], json!({}));
    let (status, refused) = app.send(Method::POST, &path, "{}").await;
    assert_eq!((status, &refused["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("metadata")));

    let (_, deleted) = app.send(Method::DELETE, &path, "").await;
    assert_eq!(deleted, json!({"id": id, "object": "chat.completion.deleted", "deleted": true}));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::POST, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/messages")),
    ] {
        let (status, answer) = app.send(method, &path, r#"{"metadata":{}}"#).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(answer["error"]["message"], format!("No chat completion found with id '{id}'."));
    }
}

#[tokio::test]
async fn kept_answers_are_listed_the_oldest_first_by_model_and_notes() {
    let app = App::new((0..5).map(|_| Turn::text("Hello.")));
    let mut made = Vec::new();
    for (model, metadata) in [
        ("m", json!({"a": "1"})),
        ("n", json!({"a": "1", "b": "2"})),
        ("m", json!({"a": "1", "b": "2"})),
        ("m", json!({})),
    ] {
        made.push(kept(&app, model, metadata).await);
    }
    app.make(CHAT, r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#).await;
    let [first, second, third, fourth] = made.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        panic!()
    };
    for (query, expected) in [
        ("", vec![first, second, third, fourth]),
        ("?order=desc&limit=2", vec![fourth, third]),
        (&format!("?limit=2&after={second}"), vec![third, fourth]),
        ("?model=m", vec![first, third, fourth]),
        ("?model=m&limit=1", vec![first]),
        ("?metadata[a]=1", vec![first, second, third]),
        ("?metadata%5Ba%5D=1&metadata%5Bb%5D=2&model=m", vec![third]),
        ("?metadata[a]=2", vec![]),
    ] {
        let (status, page) = app.send(Method::GET, &format!("{CHAT}{query}"), "").await;
        assert_eq!((status, ids(&page)), (StatusCode::OK, expected), "{query}");
    }
    let (_, page) = app.send(Method::GET, &format!("{CHAT}?model=m&limit=1"), "").await;
    assert_eq!((&page["has_more"], &page["last_id"]), (&json!(true), &json!(first)));
    for query in ["?limit=0", "?limit=101", "?order=up"] {
        let (status, _) = app.send(Method::GET, &format!("{CHAT}{query}"), "").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
    let (status, _) = app.send(Method::GET, &format!("{CHAT}?after=chatcmpl-x"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_that_one_organisation_keeps_is_seen_by_another() {
    let app = App::new([Turn::text("Hello.")]);
    let id = kept(&app, "m", json!({})).await;
    let path = format!("{CHAT}/{id}");
    let none = json!({ "object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false });
    assert_eq!(app.send_as("sk-b", Method::GET, CHAT, "").await, (StatusCode::OK, none));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::POST, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/messages")),
    ] {
        let (status, _) = app.send_as("sk-b", method.clone(), &path, r#"{"metadata":{}}"#).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method}");
    }
    let (status, _) = app.send(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::OK);
}

/// A server whose upstream answers with these pieces.
fn over(pieces: Vec<String>) -> App {
    let upstream = async move || {
        let pieces = stream::iter(pieces).map(|piece| Ok::<_, std::convert::Infallible>(Bytes::from(piece)));
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(pieces))
            .unwrap()
    };
    let upstream = Router::new().route("/v1/chat/completions", post(upstream));
    let model = ChatCompletions::with_transport("http://up/v1", Transport::new(InProcess::new(upstream)));
    App::over(std::sync::Arc::new(model.unwrap()), App::options(), std::sync::Arc::new(SystemClock))
}

fn chunk(content: &str, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": {"content": content}, "finish_reason": finish});
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

const STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"store":true}"#;

#[tokio::test]
async fn who_reads_the_end_of_a_stream_finds_its_answer_kept() {
    let app = over(vec![
        chunk("Hel", None),
        chunk("lo.", None),
        chunk("", Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ]);
    let path = format!("{CHAT}/chatcmpl-1");
    for _ in 0..2 {
        let mut body =
            app.respond(App::request(Method::POST, CHAT, STREAM)).await.into_body().into_data_stream();
        while let Some(piece) = body.next().await {
            if piece.unwrap() == "data: [DONE]\n\n" {
                break;
            }
        }
        let (_, answer) = app.send(Method::GET, &path, "").await;
        let message = json!({"role": "assistant", "content": "Hello.", "refusal": null});
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
        assert_eq!(
            answer,
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice],
                "metadata": {},
            })
        );
    }
    // The second has taken the place of the first, its messages too.
    let (_, list) = app.send(Method::GET, CHAT, "").await;
    let (_, messages) = app.send(Method::GET, &format!("{path}/messages"), "").await;
    assert_eq!((ids(&list), ids(&messages)), (vec!["chatcmpl-1"], vec!["chatcmpl-1-0"]));
}

#[tokio::test]
async fn a_stream_that_is_too_long_to_keep_is_handed_on_all_the_same() {
    let pieces: Vec<String> = (0..140).map(|_| chunk(&"x".repeat(1 << 16), None)).collect();
    let pieces = [pieces, vec![chunk("", Some("stop")), "data: [DONE]\n\n".to_owned()]].concat();
    let sent = pieces.concat();
    let app = over(pieces);
    let body = app.respond(App::request(Method::POST, CHAT, STREAM)).await.into_body();
    let read: Vec<Bytes> = body.into_data_stream().map(Result::unwrap).collect().await;
    assert!(read.concat() == sent.as_bytes());
    let (status, _) = app.send(Method::GET, &format!("{CHAT}/chatcmpl-1"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
