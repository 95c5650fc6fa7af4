use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Json, Router,
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use ropewalk_model::{
    ChatCompletions, ChatMessage, Model, ModelError, ModelErrorKind, ModelRequest, PassedThrough,
    ScriptedModel, Turn,
};
use ropewalk_types::ErrorObject;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::support::{in_process, listen, reply, transcript};

fn completions<H, T>(handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/v1/chat/completions", post(handler))
}

async fn whole(passed: PassedThrough) -> Result<String, ModelError> {
    let pieces: Vec<Bytes> = passed.body.try_collect().await?;
    Ok(String::from_utf8(pieces.concat()).unwrap())
}

/// A request that no type of ours would write so.
const REQUEST: &str = "{\"model\" : \"m\",\"n\":1e2, \"messages\":[ ],\"é\":null}\n";

#[tokio::test]
async fn request_and_reply_pass_through_byte_for_byte() {
    let sent = "\u{feff}data: {\"x\" : 1.50}\r\n\r\n: a remark\n\nevent: odd\ndata: é\n\ndata: [DONE]";
    let heard = Arc::new(Mutex::new(Bytes::new()));
    let slot = Arc::clone(&heard);
    let url = listen(completions(async move |body: Bytes| {
        *slot.lock().unwrap() = body;
        let pieces: Vec<Bytes> = sent.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect();
        let pieces = stream::iter(pieces).then(async |piece| {
            tokio::task::yield_now().await;
            piece
        });
        reply("text/event-stream; charset=x", pieces)
    }))
    .await;
    let model = ChatCompletions::new(url, None).unwrap();
    let passed = model.pass_through(REQUEST.into()).await.unwrap();
    assert_eq!(passed.content_type.as_ref().unwrap(), "text/event-stream; charset=x");
    assert_eq!(whole(passed).await.unwrap(), sent);
    assert_eq!(*heard.lock().unwrap(), REQUEST);
}

#[tokio::test]
async fn each_piece_is_handed_on_before_the_next_is_there() {
    let (pieces, source) = mpsc::channel::<Bytes>(1);
    let source = Arc::new(Mutex::new(Some(source)));
    let url = listen(completions(async move || {
        let source = source.lock().unwrap().take().unwrap();
        reply(
            "text/event-stream",
            stream::unfold(source, async |mut source| Some((source.recv().await?, source))),
        )
    }))
    .await;
    let model = ChatCompletions::new(url, None).unwrap();
    let mut body = model.pass_through(REQUEST.into()).await.unwrap().body;
    for piece in ["data: 1\n\n", "data: ", "2\n\n"] {
        pieces.send(piece.into()).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), piece);
    }
    drop(body);
    pieces.closed().await;
}

#[tokio::test]
async fn what_an_upstream_says_of_a_bad_request_keeps_its_form_and_not_its_secrets() {
    let error = Arc::new(Mutex::new((400, Value::Null)));
    let slot = Arc::clone(&error);
    let url = listen(completions(async move || {
        let (status, body) = slot.lock().unwrap().clone();
        (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    }))
    .await;
    let model = ChatCompletions::new(&url, Some("sk-hidden".into())).unwrap();
    let host = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v1")).unwrap();
    let text = format!("No `top_k` at {host} for sk-hidden.");
    for (status, body, expected) in [
        (
            400,
            json!({"error": {"message": text, "type": "bad_request", "param": "top_k", "code": "unknown"}}),
            ErrorObject {
                kind: "bad_request".to_owned(),
                ..ErrorObject::invalid_request("No `top_k` at *** for ***.").param("top_k").code("unknown")
            },
        ),
        (404, json!({"error": "no model"}), ErrorObject::invalid_request("no model")),
        (422, json!({"message": "no", "code": 422}), ErrorObject::invalid_request("no")),
    ] {
        *error.lock().unwrap() = (status, body);
        let refused = model.pass_through(REQUEST.into()).await.unwrap_err();
        assert_eq!((refused.kind(), refused.status()), (ModelErrorKind::InvalidRequest, Some(status)));
        assert_eq!(refused.upstream_error(), Some(&expected));
        assert!(!format!("{refused:?}").contains("hidden"));
    }
}

#[tokio::test]
async fn a_busy_upstream_is_asked_again_and_a_page_for_people_is_no_answer() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let model = in_process(completions(async move || match counter.fetch_add(1, SeqCst) {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
        1 => Json(json!({"id": "chatcmpl-1"})).into_response(),
        _ => ([("content-type", "text/html")], "<h1>Welcome</h1>").into_response(),
    }));
    let passed = model.pass_through(REQUEST.into()).await.unwrap();
    assert_eq!(whole(passed).await.unwrap(), r#"{"id":"chatcmpl-1"}"#);
    let welcome = model.pass_through(REQUEST.into()).await.unwrap_err();
    assert_eq!((welcome.kind(), count.load(SeqCst)), (ModelErrorKind::Protocol, 3));
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_an_error_behind_what_came() {
    let (cut, signal) = oneshot::channel::<()>();
    let signal = Arc::new(Mutex::new(Some(signal)));
    let url = listen(completions(async move || {
        let signal = signal.lock().unwrap().take().unwrap();
        let death = stream::once(async {
            let _ = signal.await;
            Err("the server died")
        });
        let pieces = stream::iter([Ok(Bytes::from_static(b"data: 1\n\n"))]).chain(death);
        Response::builder().body(Body::from_stream(pieces)).unwrap()
    }))
    .await;
    let mut body = ChatCompletions::new(url, None).unwrap().pass_through(REQUEST.into()).await.unwrap().body;
    assert_eq!(body.next().await.unwrap().unwrap(), "data: 1\n\n");
    cut.send(()).unwrap();
    assert_eq!(body.next().await.unwrap().unwrap_err().kind(), ModelErrorKind::Interrupted);
    assert!(body.next().await.is_none());
}

/// What a scripted model answers, with what differs each time taken out.
async fn spoken(turn: Turn, extra: Value) -> String {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let model = ScriptedModel::with_turns([turn]);
    let passed = model.pass_through(request.to_string().into()).await.unwrap();
    let kind = passed.content_type.clone().unwrap();
    let text = whole(passed).await.unwrap();
    let json = |line: &str| {
        let mut json: Value = serde_json::from_str(line).unwrap();
        assert!(json["id"].as_str().unwrap().starts_with("chatcmpl-") && json["created"].as_u64() > Some(0));
        (json["id"], json["created"]) = ("chatcmpl-1".into(), 1.into());
        json.to_string()
    };
    let lines = text.lines().filter(|line| !line.is_empty()).map(|line| match line.strip_prefix("data: ") {
        Some("[DONE]") => line.to_owned(),
        data => json(data.unwrap_or(line)),
    });
    format!("{}\n{}\n", kind.to_str().unwrap(), lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_scripted_model_speaks_chat_completions() {
    let calls = || Turn::calls([("f", r#"{"a":1}"#), ("g", "{}")]);
    let told = [
        spoken(Turn::text("Hello there."), json!({})).await,
        spoken(calls(), json!({})).await,
        spoken(calls(), json!({"stream": true})).await,
        spoken(
            Turn::text("Hello there."),
            json!({"stream": true, "stream_options": {"include_usage": true}}),
        )
        .await,
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn what_is_spoken_for_a_model_is_understood_as_what_it_said() {
    let turns = || [Turn::text("Hello there."), Turn::calls([("f", r#"{"a":1}"#), ("g", "{}")])];
    let direct = ScriptedModel::with_turns(turns());
    let behind = ScriptedModel::with_turns(turns());
    let asked = behind.clone();
    let model = in_process(completions(async move |body: Bytes| {
        let passed = behind.pass_through(body).await.unwrap();
        reply(passed.content_type.unwrap().to_str().unwrap(), passed.body.map(Result::unwrap))
    }));
    let request = ModelRequest::new("m")
        .message(ChatMessage::System("Be kind.".into()))
        .message(ChatMessage::user("Hi"));
    for _ in 0..2 {
        assert_eq!(transcript(&model, &request).await, transcript(&direct, &request).await);
    }
    assert_eq!(asked.requests(), direct.requests());
}

#[tokio::test]
async fn a_request_that_a_scripted_model_cannot_read_is_refused() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}"#,
    ] {
        let refused = ScriptedModel::new().pass_through(body.into()).await.unwrap_err();
        assert_eq!((refused.kind(), refused.status()), (ModelErrorKind::InvalidRequest, Some(400)), "{body}");
        assert!(refused.upstream_error().is_some());
    }
}
