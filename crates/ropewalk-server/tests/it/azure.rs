use http::{Method, Request, StatusCode};
use ropewalk_model::Turn;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn the_azure_form_reaches_the_same_objects_with_its_own_header_and_no_beta() {
    let app = App::new([Turn::text("Hello.")]);
    let thread = app.make("/v1/threads", "").await;
    for path in [
        format!("/openai/threads/{thread}?api-version=2024-05-01-preview"),
        format!("/openai/deployments/m/threads/{thread}?api-version=2024-05-01-preview"),
        format!("/openai/v1/threads/{thread}"),
    ] {
        for key in [("api-key", "sk-a"), ("authorization", "Bearer sk-a")] {
            let (status, body) = app.get(&path, &[key]).await;
            assert_eq!((status, &body["id"]), (StatusCode::OK, &json!(thread)), "{path}");
        }
        assert_eq!(app.get(&path, &[("api-key", "sk-b")]).await.0, StatusCode::NOT_FOUND);
        assert_eq!(app.get(&path, &[("api-key", "sk-wrong")]).await.0, StatusCode::UNAUTHORIZED);
    }
    let list = format!("/openai/threads/{thread}/messages?limit=101&api-version=v");
    assert_eq!(app.get(&list, &[("api-key", "sk-a")]).await.1["error"]["param"], "limit");
}

#[tokio::test]
async fn the_dated_form_needs_its_date_and_the_plain_form_takes_no_azure_key() {
    let app = App::new([]);
    let key = ("api-key", "sk-a");
    let (status, body) = app.get("/openai/assistants", &[key]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body["error"]["message"].as_str().unwrap().contains("api-version"));
    assert_eq!(app.get("/v1/models", &[key]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/openai/v1/../../healthz", &[key]).await.0, StatusCode::NOT_FOUND);
    let wrong = Request::builder().method(Method::PUT).uri("/openai/v1/models").header("api-key", "sk-a");
    assert_eq!(app.raw(wrong.body("".into()).unwrap()).await.0, StatusCode::METHOD_NOT_ALLOWED);
}
