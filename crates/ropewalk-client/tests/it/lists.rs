use axum::{
    http::{StatusCode, request::Parts},
    response::Response,
};
use ropewalk_types::{ListQuery, Message};
use serde_json::{Value, json};

use crate::stub::{self, Stub};

/// A list of `total` messages, in pages of two.
fn page(parts: &Parts, total: usize) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=msg_"));
    let start = after.map_or(0, |last| last.parse::<usize>().unwrap() + 1);
    let data: Vec<Value> = (start..total.min(start + 2)).map(message).collect();
    stub::json(json!({
        "object": "list",
        "first_id": data.first().map(|row| row["id"].clone()),
        "last_id": data.last().map(|row| row["id"].clone()),
        "has_more": start + 2 < total,
        "data": data,
    }))
}

/// A message; every third is the assistant's.
fn message(number: usize) -> Value {
    json!({
        "id": format!("msg_{number}"), "created_at": 1, "thread_id": "thread_1", "status": "completed",
        "role": if number % 3 == 2 { "assistant" } else { "user" },
        "content": [{ "type": "text", "text": { "value": format!("no. {number}"), "annotations": [] } }],
    })
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(Message::text).collect()
}

#[tokio::test]
async fn all_rows_come_page_after_page() {
    let stub = Stub::default();
    let client = stub.client(|_, parts| page(parts, 5));
    let messages = client.messages().all("thread_1", ListQuery::new().limit(2)).collect().await.unwrap();
    assert_eq!(texts(&messages), ["no. 0", "no. 1", "no. 2", "no. 3", "no. 4"]);
    assert_eq!(
        stub.asked(),
        [
            "GET /v1/threads/thread_1/messages?limit=2",
            "GET /v1/threads/thread_1/messages?after=msg_1&limit=2",
            "GET /v1/threads/thread_1/messages?after=msg_3&limit=2",
        ]
    );
}

#[tokio::test]
async fn a_page_is_asked_for_only_when_it_is_read() {
    let stub = Stub::default();
    let client = stub.client(|_, parts| page(parts, 5));
    assert_eq!(client.messages().last_answer("thread_1").await.unwrap().as_deref(), Some("no. 2"));
    assert_eq!(stub.asked().len(), 2);
    let client = Stub::default().client(|_, parts| page(parts, 2));
    assert_eq!(client.messages().last_answer("thread_1").await.unwrap(), None);
}

#[tokio::test]
async fn a_list_that_repeats_itself_ends() {
    let stub = Stub::default();
    let client = stub.client(|_, _| {
        stub::json(json!({ "data": [message(0)], "first_id": "msg_0", "last_id": "msg_0", "has_more": true }))
    });
    let messages = client.messages().all("thread_1", ListQuery::new()).collect().await.unwrap();
    assert_eq!((messages.len(), stub.asked().len()), (2, 2));
}

#[tokio::test]
async fn an_error_ends_the_rows() {
    let client = Stub::default().client(|count, parts| match count {
        0 => page(parts, 5),
        _ => stub::refusal(StatusCode::NOT_FOUND, "gone"),
    });
    let mut rows = client.messages().all("thread_1", ListQuery::new());
    assert!(rows.next().await.unwrap().is_ok() && rows.next().await.unwrap().is_ok());
    assert_eq!(rows.next().await.unwrap().unwrap_err().status(), Some(404));
    assert!(rows.next().await.is_none());
}
