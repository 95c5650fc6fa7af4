//! Streams of runs, and coming back to them.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_events::{Event, EventStream};
use ropewalk_model::{FinishReason, ModelEvent, Turn};
use serde_json::json;

use crate::app::App;

/// Begins a run of an assistant with a function; gives its events, which drive it, and its path.
async fn begin(app: &App) -> (Body, String) {
    let tool = json!({ "type": "function", "function": { "name": "length" } });
    let assistant = json!({ "model": "m", "tools": [tool] }).to_string();
    let assistant = app.make("/v1/assistants", &assistant).await;
    let thread = app.make("/v1/threads", r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
    let body = json!({ "assistant_id": assistant, "stream": true }).to_string();
    let runs = format!("/v1/threads/{thread}/runs");
    let stream = app.respond(App::request(Method::POST, &runs, &body)).await.into_body();
    let (_, listed) = app.send(Method::GET, &runs, "").await;
    (stream, format!("{runs}/{}", listed["data"][0]["id"].as_str().unwrap()))
}

async fn attach(app: &App, path: &str, header: Option<&str>) -> Body {
    let mut request = App::request(Method::GET, path, "");
    if let Some(header) = header {
        request.headers_mut().insert("last-event-id", header.parse().unwrap());
    }
    let response = app.respond(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    response.into_body()
}

async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn events(body: Body) -> EventStream<impl Stream<Item = Result<Bytes, Infallible>> + Unpin> {
    EventStream::new(Box::pin(body.into_data_stream().map(|bytes| Ok(bytes.unwrap()))))
}

const DONE: &str = "event: done\ndata: [DONE]\n\n";

#[tokio::test]
async fn whoever_comes_back_reads_on_where_they_were() {
    let app = App::new([Turn::text("Two lengths of rope.")]);
    let (stream, run) = begin(&app).await;
    let whole = text(stream).await;
    assert!(whole.starts_with("event: thread.run.created\nid: 1\ndata: {") && whole.ends_with(DONE));
    let frames: Vec<&str> = whole.split_inclusive("\n\n").collect();
    let path = format!("{run}/events");
    for after in 0..frames.len() {
        let (rest, number) = (frames[after..].concat(), after.to_string());
        assert_eq!(text(attach(&app, &format!("{path}?starting_after={after}"), None).await).await, rest);
        assert_eq!(text(attach(&app, &path, Some(&number)).await).await, rest);
        // An `EventSource` goes on asking what it asked first.
        assert_eq!(text(attach(&app, &format!("{path}?starting_after=1"), Some(&number)).await).await, rest);
    }
    assert_eq!(text(attach(&app, &path, None).await).await, whole);
    assert_eq!(text(attach(&app, &path, Some("")).await).await, whole);
    assert_eq!(text(attach(&app, &format!("{path}?starting_after=1000"), None).await).await, DONE);
}

#[tokio::test]
async fn a_stream_goes_on_over_the_wait_for_outputs() {
    let app = App::new([Turn::calls([("length", "{}")]), Turn::text("Seven fathoms.")]);
    let (stream, run) = begin(&app).await;
    let mut watching = events(attach(&app, &format!("{run}/events"), None).await);
    let first = text(stream).await;
    assert!(first.ends_with(DONE), "the stream of the request ends where the run waits");
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::RunRequiresAction(_))) {
        seen.push(watching.next().await.unwrap().unwrap());
    }
    let outputs = json!({ "tool_outputs": [{ "tool_call_id": "call_0", "output": "7" }], "stream": true });
    let submit = App::request(Method::POST, &format!("{run}/submit_tool_outputs"), &outputs.to_string());
    let second = text(app.respond(submit).await.into_body()).await;
    while let Some(event) = watching.next().await {
        seen.push(event.unwrap());
    }
    assert!(matches!(seen[..], [.., Event::RunCompleted(_), Event::Done]), "{seen:?}");
    let whole = text(attach(&app, &format!("{run}/events"), None).await).await;
    assert_eq!(whole, first.trim_end_matches(DONE).to_owned() + &second);
    let again: Vec<Event> = events(Body::from(whole)).map(Result::unwrap).collect().await;
    assert_eq!(again, seen);
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let app = App::new([Turn::text("Hello.")]);
    let (stream, run) = begin(&app).await;
    text(stream).await;
    let path = format!("{run}/events");
    for (query, header, param) in [
        ("?starting_after=-1", None, "starting_after"),
        ("?starting_after=x", None, "starting_after"),
        ("?starting_after=1.5", None, "starting_after"),
        ("?starting_after=18446744073709551616", None, "starting_after"),
        ("", Some("-1"), "last-event-id"),
        ("?starting_after=1", Some("x"), "last-event-id"),
    ] {
        let mut request = App::request(Method::GET, &format!("{path}{query}"), "");
        if let Some(header) = header {
            request.headers_mut().insert("last-event-id", header.parse().unwrap());
        }
        let (status, body) = app.raw(request).await;
        assert_eq!((status, &body["error"]["param"]), (StatusCode::BAD_REQUEST, &json!(param)), "{body}");
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_has_no_events() {
    let app = App::new([Turn::text("Hello.")]);
    let (stream, run) = begin(&app).await;
    text(stream).await;
    let elsewhere = app.make("/v1/threads", "{}").await;
    let (_, id) = run.rsplit_once('/').unwrap();
    let path = format!("/v1/threads/{elsewhere}/runs/{id}");
    let expected = app.send(Method::GET, &path, "").await;
    assert_eq!(app.send(Method::GET, &format!("{path}/events"), "").await, expected);
    assert_eq!(expected.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_attaches_takes_the_room_of_a_stream() {
    let mut options = App::options();
    options.bounds.streams_per_organization = 2;
    let app = App::with(options, [Turn::new().stall()]);
    let (stream, run) = begin(&app).await;
    let path = format!("{run}/events");
    let attached = attach(&app, &path, None).await;
    let refused = app.respond(App::request(Method::GET, &path, "")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(attached);
    drop(attach(&app, &path, None).await);
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_is_alive() {
    let slow = Turn::new().wait(tokio::time::sleep(Duration::from_secs(100)));
    let slow = slow.event(ModelEvent::Text("Late.".into())).event(ModelEvent::Finish(FinishReason::Stop));
    let mut options = App::options();
    options.keep_alive = Duration::from_secs(30);
    let app = App::with(options, [slow]);
    let (stream, run) = begin(&app).await;
    let (driver, attached) =
        tokio::join!(text(stream), async { text(attach(&app, &format!("{run}/events"), None).await).await });
    for text in [&driver, &attached] {
        assert_eq!(text.matches(": keep-alive\n").count(), 2, "{text}");
        assert!(text.ends_with(DONE), "{text}");
    }
    assert_eq!(driver.replace(": keep-alive\n", ""), attached.replace(": keep-alive\n", ""));
}

/// A request that no stream answers has no use for an id, which may be another server's.
#[tokio::test]
async fn the_id_of_an_event_is_looked_at_only_where_there_are_events() {
    let app = App::new([]);
    let request = Request::get("/v1/assistants").header("authorization", "Bearer sk-a");
    let request = request.header("openai-beta", "assistants=v2").header("last-event-id", "event_1");
    assert_eq!(app.raw(request.body(Body::empty()).unwrap()).await.0, StatusCode::OK);
}
