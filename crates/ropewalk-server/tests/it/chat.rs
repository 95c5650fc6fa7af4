//! Requests on their way to the model's host, and its replies on their way back.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{ChatCompletions, FinishReason, ModelEvent, ScriptedModel, Turn};
use ropewalk_server::RuntimeOptions;
use ropewalk_store::SystemClock;
use ropewalk_transport::{InProcess, RetryPolicy, Transport};
use ropewalk_types::Usage;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::{App, TestClock};

const CHAT: &str = "/v1/chat/completions";

fn completions<H, T>(handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/v1/chat/completions", post(handler))
}

/// A server over an upstream that is reached without a socket.
fn over(upstream: Router) -> App {
    let retry = RetryPolicy::default().max_retries(0);
    let transport = Transport::builder(InProcess::new(upstream)).retry(retry).build();
    let model = ChatCompletions::with_transport("http://up.example:1/v1", transport).unwrap();
    App::over(Arc::new(model), App::options(), Arc::new(SystemClock))
}

fn events(
    pieces: impl futures_util::Stream<Item = Result<Bytes, &'static str>> + Send + 'static,
) -> Response {
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(pieces)).unwrap()
}

fn told_as_json(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

async fn body_of(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn body_and_reply_pass_over_a_socket_byte_for_byte() {
    let sent = "data: {\"choices\" : [ ], \"x\":1.50}\r\n\r\n: a remark\n\ndata: é\n\ndata: [DONE]\n\n";
    let heard = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&heard);
    let upstream = completions(async move |body: String| {
        slot.lock().unwrap().push(body);
        let pieces: Vec<_> =
            sent.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        events(stream::iter(pieces).then(async |piece| {
            tokio::task::yield_now().await;
            piece
        }))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, upstream).await });
    let model = ChatCompletions::new(url, None).unwrap();
    let app = App::over(Arc::new(model), App::options(), Arc::new(SystemClock));
    for (body, passed) in [
        (
            "{ \"n\":1e2,\"model\":\"m\" , \"messages\":[{}],\"é\":null,\"stream\":true}",
            "{ \"n\":1e2,\"model\":\"m\" , \"messages\":[{}],\"é\":null,\"stream\":true}",
        ),
        (
            "{\"store\" : false,\"model\":\"m\",\"messages\":[{\"store\":1}],\"metadata\":{\"a\":\"}\"},\"n\":1e2}",
            "{\"model\":\"m\",\"messages\":[{\"store\":1}],\"n\":1e2}",
        ),
    ] {
        let response = app.respond(App::request(Method::POST, CHAT, body)).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"text/event-stream".parse().unwrap())
        );
        assert_eq!(body_of(response).await, sent);
        assert_eq!(heard.lock().unwrap().pop().unwrap(), passed);
    }
}

#[tokio::test]
async fn an_upstream_works_no_faster_than_its_reader_and_stops_when_the_reader_goes() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let (guard, gone) = oneshot::channel::<()>();
    let guard = Arc::new(Mutex::new(Some(guard)));
    let app = over(completions(async move || {
        let (counter, guard) = (counter.clone(), guard.lock().unwrap().take());
        events(stream::repeat_with(move || {
            assert!(guard.is_some());
            counter.fetch_add(1, SeqCst);
            Ok(Bytes::from(vec![b'x'; 64 * 1024]))
        }))
    }));
    let request = App::request(Method::POST, CHAT, r#"{"model":"m","messages":[{}],"stream":true}"#);
    let mut body = app.respond(request).await.into_body().into_data_stream();
    // More than is ever looked through, and still what is handed on is what was made.
    for read in 1..=200 {
        assert_eq!(body.next().await.unwrap().unwrap().len(), 64 * 1024);
        assert_eq!(made.load(SeqCst), read);
    }
    drop(body);
    assert!(gone.await.is_err());
}

#[tokio::test]
async fn a_caller_who_goes_before_the_answer_begins_stops_the_upstream() {
    let (guard, gone) = oneshot::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let slot = Arc::new(Mutex::new(Some((guard, begin))));
    let app = over(completions(async move || {
        let (_guard, begin) = slot.lock().unwrap().take().unwrap();
        begin.send(()).unwrap();
        std::future::pending::<Response>().await
    }));
    let mut call =
        Box::pin(app.respond(App::request(Method::POST, CHAT, r#"{"model":"m","messages":[{}]}"#)));
    tokio::select! {
        _ = &mut call => panic!("nobody has answered"),
        begun = begun => begun.unwrap(),
    }
    drop(call);
    assert!(gone.await.is_err());
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off_and_is_not_kept() {
    let app = over(completions(async || {
        let chunk = r#"data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
        events(stream::iter([Ok(Bytes::from(format!("{chunk}\n\n"))), Err("cut")]))
    }));
    let body = r#"{"model":"m","messages":[{}],"stream":true,"store":true}"#;
    let mut body = app.respond(App::request(Method::POST, CHAT, body)).await.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok());
    assert!(body.next().await.unwrap().is_err() && body.next().await.is_none());
    let (status, _) = app.send(Method::GET, &format!("{CHAT}/chatcmpl-1"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_upstream_refuses_is_told_and_what_is_the_operators_is_not() {
    let error = |message: &str, code: Value| json!({"error": {"message": message, "type": "t", "param": "p", "code": code}});
    let mut told = Vec::new();
    for (status, body) in [
        (400, error("Bad `top_k` at up.example:1.", json!("unknown"))),
        (404, error("The model `m` does not exist.", json!("model_not_found"))),
        (413, json!({"error": "too long"})),
        (422, json!({"detail": "no"})),
        (401, error("Incorrect API key provided: sk-operator.", json!("invalid_api_key"))),
        (403, error("Country not supported.", Value::Null)),
        (404, json!("<html>nginx</html>")),
        (429, error("Rate limit reached for org-operator.", json!("rate_limit_exceeded"))),
        (429, error("You exceeded your quota.", json!("insufficient_quota"))),
        (500, error("Oops at up.example.", Value::Null)),
        (302, Value::Null),
    ] {
        let answer = body.clone();
        let app = over(completions(async move || {
            let page = answer.as_str().map(str::to_owned);
            let reply = page.map_or_else(|| told_as_json(&answer), IntoResponse::into_response);
            (StatusCode::from_u16(status).unwrap(), [("retry-after", "7")], reply)
        }));
        let response =
            app.respond(App::request(Method::POST, CHAT, r#"{"model":"m","messages":[{}]}"#)).await;
        let ours = response.status();
        let wait =
            response.headers().get("retry-after").map_or("-", |wait| wait.to_str().unwrap()).to_owned();
        let text = String::from_utf8(body_of(response).await.to_vec()).unwrap();
        assert!(!text.contains("operator") && !text.contains("up.example"), "{text}");
        told.push(format!("{status} {body}\n    {} retry-after {wait}\n    {text}", ours.as_u16()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn only_what_the_server_reads_is_checked() {
    let app = App::new([Turn::text("Hello."), Turn::text("Hello.")]);
    let mut told = Vec::new();
    let many = format!(r#"{{"model":"m","store":true,"messages":[{}]}}"#, vec!["{}"; 2049].join(","));
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"model":"m"}"#,
        r#"{"messages":[{}]}"#,
        r#"{"model":7,"messages":[{}]}"#,
        r#"{"model":"m","messages":[]}"#,
        r#"{"model":"m","messages":{}}"#,
        r#"{"model":"m","messages":[{}],"stream":"yes"}"#,
        r#"{"model":"m","messages":[{}],"store":1}"#,
        r#"{"model":"m","messages":[{}],"metadata":{"a":1}}"#,
        r#"{"model":"m","model":"n","messages":[{}]}"#,
    ] {
        let (status, answer) = app.send(Method::POST, CHAT, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        told.push(format!("{body}\n    {}", answer["error"]));
    }
    insta::assert_snapshot!(told.join("\n"));
    let mut options = App::options();
    options.max_body_bytes = 1 << 20;
    let roomy = App::with(options, []);
    let (status, answer) = roomy.send(Method::POST, CHAT, &many).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!("array_above_max_length"))
    );

    let odd = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":900,"top_k":[],"stream":null}"#;
    let (status, answer) = app.send(Method::POST, CHAT, odd).await;
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (StatusCode::OK, &json!("Hello.")));
    // An Azure client names its model in the path.
    let azure = "/openai/deployments/rope/chat/completions?api-version=2024-10-21";
    let (status, answer) =
        app.send(Method::POST, azure, r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
    assert_eq!((status, &answer["model"]), (StatusCode::OK, &json!("rope")));
}

#[tokio::test]
async fn who_has_no_key_asks_no_model() {
    let app = App::new([]);
    let request = Request::post(CHAT).body(Body::from(r#"{"model":"m","messages":[{}]}"#)).unwrap();
    assert_eq!(app.raw(request).await.0, StatusCode::UNAUTHORIZED);
}

/// A server on which an organisation has 100 tokens a minute.
fn limited(turns: impl IntoIterator<Item = Turn>) -> App {
    let mut options: RuntimeOptions = App::options();
    options.rate_limits.tokens_per_minute = Some(100);
    App::over(Arc::new(ScriptedModel::with_turns(turns)), options, Arc::new(TestClock::default()))
}

#[tokio::test]
async fn what_an_answer_costs_is_taken_from_the_tokens_a_minute() {
    let usage = Usage { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
    let long = "word ".repeat(400);
    for (extra, content) in [
        // It is told, whether the answer comes whole or in a stream.
        (json!({}), "x"),
        (json!({ "stream": true, "stream_options": { "include_usage": true } }), "x"),
        // If it is not, the size of what was asked is a guess.
        (json!({ "stream": true }), long.as_str()),
    ] {
        let turn = [
            ModelEvent::Text("Hello.".into()),
            ModelEvent::Usage(usage),
            ModelEvent::Finish(FinishReason::Stop),
        ]
        .into_iter()
        .fold(Turn::new(), Turn::event);
        let app = limited([turn]);
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let ask = async || app.respond(App::request(Method::POST, CHAT, &body.to_string())).await;
        let answer = ask().await;
        assert_eq!(answer.status(), StatusCode::OK);
        body_of(answer).await;
        let refused = ask().await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{extra}");
    }
}

#[tokio::test]
async fn a_stream_takes_room_until_it_ends() {
    let mut options: RuntimeOptions = App::options();
    options.bounds.streams_per_organization = 1;
    let app = App::with(options, [Turn::new().stall(), Turn::text("Hello."), Turn::text("Hello.")]);
    let ask = async |stream: bool| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream});
        app.respond(App::request(Method::POST, CHAT, &body.to_string())).await
    };
    let open = ask(true).await;
    assert_eq!((open.status(), ask(true).await.status()), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(ask(false).await.status(), StatusCode::OK);
    drop(open);
    assert_eq!(ask(true).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_model_is_its_hosts_and_cannot_be_deleted() {
    let here = async || told_as_json(&json!({"data": [{"id": "org/rope", "created": 7, "owned_by": "me"}]}));
    let app = over(Router::new().route("/v1/models", axum::routing::get(here)));
    let (_, list) = app.send(Method::GET, "/v1/models", "").await;
    let rope = json!({"id": "org/rope", "object": "model", "created": 7, "owned_by": "me"});
    assert_eq!(list, json!({"object": "list", "data": [rope]}));
    assert_eq!(app.send(Method::GET, "/v1/models/org%2Frope", "").await, (StatusCode::OK, rope));
    let mut told = Vec::new();
    for (method, id) in [(Method::GET, "hemp"), (Method::DELETE, "hemp"), (Method::DELETE, "org%2Frope")] {
        let (status, answer) = app.send(method.clone(), &format!("/v1/models/{id}"), "").await;
        told.push(format!("{method} {id}\n    {} {}", status.as_u16(), answer["error"]));
    }
    insta::assert_snapshot!(told.join("\n"));
}
