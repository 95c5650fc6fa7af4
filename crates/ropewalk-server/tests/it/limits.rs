use std::sync::Arc;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{FinishReason, ModelEvent, Turn};
use ropewalk_server::{ApiKeys, KeyLimits, NewApiKey, RuntimeOptions};
use ropewalk_types::{UnixSeconds, Usage};
use serde_json::json;

use crate::app::{App, TestClock};

fn rate_headers(headers: &HeaderMap) -> Vec<String> {
    let ours = |name: &str| name.starts_with("x-ratelimit") || name == "retry-after";
    let told = headers.iter().filter(|(name, _)| ours(name.as_str()));
    let mut told: Vec<String> =
        told.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    told.sort();
    told
}

#[tokio::test]
async fn an_organisation_has_its_requests_a_minute_and_is_told_of_them() {
    let clock = Arc::new(TestClock::default());
    let mut options = App::options();
    options.rate_limits.requests_per_minute = Some(2);
    let app = App::with_clock(options, [], clock.clone());
    let mut told = Vec::new();
    for wait_ms in [0, 500, 0, 29_500] {
        clock.pass(wait_ms);
        let response = app.respond(App::request(Method::GET, "/v1/assistants", "")).await;
        let (status, headers) = (response.status(), rate_headers(response.headers()));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = if status.is_success() { "" } else { str::from_utf8(&body).unwrap() };
        told.push(format!("+{wait_ms} ms: {status}\n{}\n{body}", headers.join("\n")));
    }
    insta::assert_snapshot!(told.join("\n"));
    let (others, _) = app.send_as("sk-b", Method::GET, "/v1/assistants", "").await;
    assert_eq!(others, StatusCode::OK);
}

#[tokio::test]
async fn a_key_may_have_limits_of_its_own() {
    let app = App::new([]);
    let new = NewApiKey::new("org-a").limits(KeyLimits::new().requests_per_minute(1));
    let key = ApiKeys::new(app.store()).create(new, UnixSeconds(1)).await.unwrap().key;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(app.send_as(&key, Method::GET, "/v1/assistants", "").await.0);
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
    let (unlimited, _) = app.send(Method::GET, "/v1/assistants", "").await;
    assert_eq!(unlimited, StatusCode::OK);
}

#[tokio::test]
async fn what_runs_use_is_taken_from_the_tokens_a_minute() {
    let clock = Arc::new(TestClock::default());
    let mut options = App::options();
    options.rate_limits.tokens_per_minute = Some(100);
    let usage = Usage { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
    let turn = Turn::new().event(ModelEvent::Text("Hello.".to_owned())).event(ModelEvent::Usage(usage));
    let app = App::with_clock(options, [turn.event(ModelEvent::Finish(FinishReason::Stop))], clock.clone());
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let body = json!({ "assistant_id": assistant, "stream": true }).to_string();
    let run = async || app.respond(App::request(Method::POST, "/v1/threads/runs", &body)).await;

    let streamed = run().await;
    assert_eq!(streamed.status(), StatusCode::OK);
    streamed.into_body().collect().await.unwrap();
    let refused = run().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "31");
    assert_eq!(refused.headers()["x-ratelimit-remaining-tokens"], "0");
    let (look, _) = app.send(Method::GET, "/v1/assistants", "").await;
    assert_eq!(look, StatusCode::OK, "who calls no model needs no tokens");
    clock.pass(31_000);
    assert_eq!(run().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn streams_have_their_number_and_give_their_room_back() {
    let mut options: RuntimeOptions = App::options();
    options.bounds.streams_per_organization = 1;
    let app = App::with(options, [Turn::new().stall(), Turn::text("Hello.")]);
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let body = |stream: bool| json!({ "assistant_id": assistant, "stream": stream }).to_string();
    let run = async |stream| app.respond(App::request(Method::POST, "/v1/threads/runs", &body(stream))).await;

    let open = run(true).await;
    assert_eq!(open.status(), StatusCode::OK);
    let refused = run(true).await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap())
    );
    assert_eq!(run(false).await.status(), StatusCode::OK);
    drop(open);
    assert_eq!(run(true).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_too_long_to_be_a_request_is_told_so() {
    let mut options = RuntimeOptions::default();
    options.bounds.uri_bytes = 100;
    options.bounds.header_bytes = 500;
    options.bounds.headers = 5;
    let app = App::with(options, []);
    let long_uri = format!("/v1/models?after={}", "x".repeat(100));
    let with = |headers: usize, bytes: usize| {
        let request = Request::get("/v1/models");
        (0..headers)
            .fold(request, |request, n| request.header(format!("x-{n}"), "x".repeat(bytes)))
            .body("".into())
    };
    for (request, expected) in [
        (with(5, 5).unwrap(), StatusCode::OK),
        (with(6, 5).unwrap(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (with(1, 500).unwrap(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (Request::get(long_uri).body("".into()).unwrap(), StatusCode::URI_TOO_LONG),
    ] {
        let (status, body) = app.raw(request).await;
        assert_eq!(status, expected, "{body}");
        assert!(status.is_success() || body["error"]["type"] == "invalid_request_error", "{body}");
    }
}
