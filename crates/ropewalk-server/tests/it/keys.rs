use http::{Method, Request, StatusCode};
use ropewalk_server::{ApiKeys, NewApiKey, RuntimeOptions};
use ropewalk_types::UnixSeconds;
use serde_json::json;

use crate::app::App;

const LONG_AGO: UnixSeconds = UnixSeconds(1);

async fn status(app: &App, key: &str) -> StatusCode {
    app.send_as(key, Method::GET, "/v1/assistants", "").await.0
}

#[tokio::test]
async fn the_first_key_shuts_an_open_server_and_a_revoked_key_stops_at_once() {
    let app = App::with(RuntimeOptions::default(), []);
    let keys = ApiKeys::new(app.store());
    assert_eq!(status(&app, "sk-anything").await, StatusCode::OK);
    let (status_without, _) = app.get("/v1/assistants", &[]).await;
    assert_eq!(status_without, StatusCode::OK);

    let made = keys.create(NewApiKey::new("org-a"), LONG_AGO).await.unwrap();
    assert_eq!(status(&app, "sk-anything").await, StatusCode::UNAUTHORIZED);
    let (status_without, body) = app.get("/v1/assistants", &[]).await;
    assert_eq!(status_without, StatusCode::UNAUTHORIZED);
    assert!(body["error"]["message"].as_str().unwrap().starts_with("You didn't provide an API key."));
    assert_eq!(status(&app, &made.key).await, StatusCode::OK);

    let other = keys.create(NewApiKey::new("org-a"), LONG_AGO).await.unwrap();
    keys.revoke(&made.record.id, UnixSeconds(2)).await.unwrap();
    assert_eq!(status(&app, &made.key).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&app, &other.key).await, StatusCode::OK);
    keys.revoke(&other.record.id, UnixSeconds(2)).await.unwrap();
    assert_eq!(status(&app, "sk-anything").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_that_is_over_opens_nothing() {
    let app = App::new([]);
    let new = NewApiKey::new("org-a").expires_at(UnixSeconds(2));
    let made = ApiKeys::new(app.store()).create(new, LONG_AGO).await.unwrap();
    assert_eq!(status(&app, &made.key).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn keys_of_the_file_and_of_the_store_open_the_same_organisation() {
    let app = App::new([]);
    let made = ApiKeys::new(app.store()).create(NewApiKey::new("org-a"), LONG_AGO).await.unwrap();
    let thread = app.make("/v1/threads", "").await;
    let (status, _) = app.send_as(&made.key, Method::GET, &format!("/v1/threads/{thread}"), "").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_is_taken_as_a_bearer_or_as_a_password_and_its_organisation_is_named() {
    let app = App::new([]);
    // `curl -u :sk-a`
    for authorization in ["Bearer sk-a", "Basic OnNrLWE="] {
        let request = Request::get("/v1/models").header("authorization", authorization);
        let response = app.respond(request.body("".into()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["openai-organization"], "org-a");
    }
}

#[tokio::test]
async fn a_key_is_held_to_its_project() {
    let app = App::new([]);
    let keys = ApiKeys::new(app.store());
    let held = keys.create(NewApiKey::new("org-a").project("proj_a".to_owned()), LONG_AGO).await.unwrap();
    let bearer = format!("Bearer {}", held.key);
    let mut answers = Vec::new();
    for (key, project) in [(&*bearer, "proj_a"), (&*bearer, "proj_b"), ("Bearer sk-a", "proj_b")] {
        let headers = [("authorization", key), ("openai-project", project), ("openai-organization", "org-a")];
        answers.push(app.get("/v1/models", &headers).await);
    }
    assert_eq!([answers[0].0, answers[2].0], [StatusCode::OK; 2]);
    let refused = json!({ "error": {
        "message": "OpenAI-Project header should match project for API key",
        "type": "invalid_request_error", "param": null, "code": "mismatched_project",
    }});
    assert_eq!(answers[1], (StatusCode::UNAUTHORIZED, refused));
}
