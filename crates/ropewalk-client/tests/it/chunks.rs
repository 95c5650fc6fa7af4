use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use ropewalk_client::ClientError;
use ropewalk_types::{CreateChatCompletion, ErrorObject};
use serde_json::json;

use crate::stub::{Stub, refusal};

fn chunk(content: &str, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": { "content": content }, "finish_reason": finish });
    json!({ "id": "chatcmpl-1", "model": "m", "choices": [choice] }).to_string()
}

fn stream(frames: &[String]) -> Response {
    let text: String = frames.iter().map(|data| format!("data: {data}\n\n")).collect();
    ([(CONTENT_TYPE, "text/event-stream")], text).into_response()
}

fn request() -> CreateChatCompletion {
    CreateChatCompletion::new("m", [json!({ "role": "user", "content": "Hi" })]).set("seed", 7)
}

#[tokio::test]
async fn an_answer_comes_whole_or_in_chunks() {
    let stub = Stub::default();
    let client = stub.client(|count, _| {
        if count > 0 {
            return stream(&[chunk("Hel", None), chunk("lo.", Some("stop")), "[DONE]".to_owned()]);
        }
        let message = json!({ "role": "assistant", "content": "Hello." });
        let answer =
            json!({ "id": "chatcmpl-1", "model": "m", "choices": [{ "index": 0, "message": message }] });
        ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
    });
    let whole = client.chat_completions().create(request()).await.unwrap();
    assert_eq!((whole.id.as_str(), whole.text()), ("chatcmpl-1", Some("Hello.")));
    let chunks = client.chat_completions().create_stream(request()).await.unwrap().collect().await.unwrap();
    let text = chunks.iter().filter_map(|chunk| chunk.choices[0]["delta"]["content"].as_str());
    assert_eq!(text.collect::<String>(), "Hello.");
    let asked = |end: &str| {
        let messages = r#"{"model":"m","messages":[{"content":"Hi","role":"user"}]"#;
        format!("POST /v1/chat/completions {messages}{end}")
    };
    assert_eq!(stub.asked(), [asked(r#","seed":7}"#), asked(r#","stream":true,"seed":7}"#)]);
}

#[tokio::test]
async fn chunks_that_end_too_soon_are_an_error() {
    for (last, is_whole) in [(chunk("", Some("stop")), true), (chunk("x", None), false)] {
        let client = Stub::default().client(move |_, _| stream(std::slice::from_ref(&last)));
        let mut chunks = client.chat_completions().create_stream(request()).await.unwrap();
        assert!(chunks.next().await.unwrap().is_ok());
        match chunks.next().await {
            None => assert!(is_whole),
            Some(broken) => assert!(!is_whole && matches!(broken, Err(ClientError::CutOff))),
        }
    }
}

#[tokio::test]
async fn an_error_among_the_chunks_is_told() {
    let error = ErrorObject::server("Overloaded.");
    let frame = json!({ "error": error }).to_string();
    let client = Stub::default().client(move |_, _| stream(&[chunk("x", None), frame.clone()]));
    let mut chunks = client.chat_completions().create_stream(request()).await.unwrap();
    assert!(chunks.next().await.unwrap().is_ok());
    let Some(Err(ClientError::ErrorEvent(told))) = chunks.next().await else { panic!("the error is told") };
    assert_eq!(*told, error);

    let client = Stub::default().client(|_, _| refusal(StatusCode::NOT_FOUND, "no such model"));
    let refused = client.chat_completions().create_stream(request()).await.unwrap_err();
    assert_eq!(refused.status(), Some(404));
}
