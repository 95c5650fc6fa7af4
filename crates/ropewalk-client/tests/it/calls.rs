use std::error::Error;

use axum::{
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use ropewalk_client::{Client, ClientError};
use ropewalk_transport::RetryPolicy;
use ropewalk_types::{CreateThread, Deleted, ListQuery, Order, RunStatus};
use serde_json::json;
use tokio::net::TcpListener;

use crate::stub::{self, Stub, listen, refusal, run};

#[tokio::test]
async fn a_request_is_what_the_table_says() {
    let stub = Stub::default();
    let router = stub.router(|_, parts| match parts.method.as_str() {
        "DELETE" => stub::json(json!({ "id": "thread_a/b", "object": "thread.deleted", "deleted": true })),
        "GET" => stub::json(json!({ "object": "list", "data": [], "first_id": null, "last_id": null })),
        _ if parts.uri.path().ends_with("/cancel") => stub::json(run(RunStatus::Cancelling)),
        _ => stub::json(json!({ "id": "thread_1", "created_at": 1, "tool_resources": null })),
    });
    let client = listen(router).await.build().unwrap();

    let thread = client.threads().create(CreateThread::new()).await.unwrap();
    client.runs().list(&thread.id, ListQuery::new().limit(3).order(Order::Asc)).await.unwrap();
    client.runs().cancel(thread.id, "run_1").await.unwrap();
    let deleted = client.threads().delete("thread_a/b").await.unwrap();
    assert_eq!(deleted, Deleted { id: "thread_a/b".into(), object: "thread.deleted".into(), deleted: true });
    assert_eq!(
        stub.asked(),
        [
            "POST /v1/threads {}",
            "GET /v1/threads/thread_1/runs?limit=3&order=asc",
            "POST /v1/threads/thread_1/runs/run_1/cancel",
            "DELETE /v1/threads/thread_a%2Fb",
        ]
    );
}

#[tokio::test]
async fn a_request_carries_the_key_and_the_beta_header_where_one_is_due() {
    let stub = Stub::default();
    let router = stub.router(|_, parts| {
        let shown = |name| parts.headers.get(name).map(|value| value.to_str().unwrap());
        let shown = ["authorization", "openai-beta", "openai-organization", "openai-project", "content-type"]
            .map(shown);
        refusal(StatusCode::IM_A_TEAPOT, &format!("{shown:?}"))
    });
    let client =
        listen(router).await.api_key("sk-a").organization("org-a").project("proj-a").build().unwrap();

    let message = |error| match error {
        ClientError::Api { error, .. } => error.message,
        error => panic!("{error:?}"),
    };
    assert_eq!(
        message(client.threads().create(CreateThread::new()).await.unwrap_err()),
        r#"[Some("Bearer sk-a"), Some("assistants=v2"), Some("org-a"), Some("proj-a"), Some("application/json")]"#
    );
    assert_eq!(
        message(client.models().list().await.unwrap_err()),
        r#"[Some("Bearer sk-a"), None, Some("org-a"), Some("proj-a"), None]"#
    );
}

#[tokio::test]
async fn an_error_keeps_what_the_server_said() {
    let client = Stub::default().client(|_, _| refusal(StatusCode::NOT_FOUND, "No thread found."));
    let error = client.threads().get("thread_1").await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 404: No thread found.");
    assert_eq!((error.status(), error.request_id()), (Some(404), Some("req_7")));
    assert!(!error.is_retryable());
    let ClientError::Api { error, .. } = error else { panic!() };
    assert_eq!((error.kind.as_str(), error.param.as_deref()), ("invalid_request_error", Some("limit")));
}

#[tokio::test]
async fn an_error_that_is_no_error_body_is_quoted() {
    for (page, quoted) in [("<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"), ("", "502 Bad Gateway")] {
        let client = Stub::default().client(move |_, _| {
            (StatusCode::BAD_GATEWAY, [("x-should-retry", "false")], page).into_response()
        });
        let error = client.threads().get("thread_1").await.unwrap_err();
        assert_eq!(error.to_string(), format!("the server answered 502: {quoted}"));
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let stub = Stub::default();
    let client = stub.client(|count, _| match count {
        0 | 1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "1")]).into_response(),
        _ => stub::json(json!({ "object": "list", "data": [] })),
    });
    client.models().list().await.unwrap();
    assert_eq!(stub.asked().len(), 3);
}

#[tokio::test]
async fn a_reply_of_another_shape_names_the_operation() {
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", "req_9".parse().unwrap());
    let client = Stub::default().client(move |_, _| (headers.clone(), "[]").into_response());
    let error = client.models().list().await.unwrap_err();
    assert_eq!(error.to_string(), "the reply to `listModels` cannot be read");
    assert_eq!(error.request_id(), Some("req_9"));
    assert!(error.source().is_some() && !error.is_retryable());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let never = RetryPolicy::default().max_retries(0);
    let client = Client::builder().base_url(url).retry(never).build().unwrap();
    let error = client.models().list().await.unwrap_err();
    assert_eq!(error.to_string(), "no connection to the server");
    assert!(error.is_retryable());
}
