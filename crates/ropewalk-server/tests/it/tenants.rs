use http::{Method, StatusCode};
use ropewalk_model::Turn;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn nothing_of_one_organisation_is_seen_by_another() {
    let app = App::new([Turn::text("Hello.")]);
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let thread = app.make("/v1/threads", r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
    let runs = format!("/v1/threads/{thread}/runs");
    let run = app.make(&runs, &json!({ "assistant_id": assistant }).to_string()).await;

    let missing_thread = format!("No thread found with id '{thread}'.");
    for (method, path, body) in [
        (Method::GET, format!("/v1/threads/{thread}"), "{}"),
        (Method::POST, format!("/v1/threads/{thread}"), "{}"),
        (Method::DELETE, format!("/v1/threads/{thread}"), ""),
        (Method::GET, format!("/v1/threads/{thread}/messages"), ""),
        (Method::POST, format!("/v1/threads/{thread}/messages"), r#"{"role":"user","content":"x"}"#),
        (Method::GET, runs.clone(), ""),
    ] {
        let (status, answer) = app.send_as("sk-b", method.clone(), &path, body).await;
        assert_eq!(
            (status, &answer["error"]["message"]),
            (StatusCode::NOT_FOUND, &json!(missing_thread)),
            "{method} {path}"
        );
    }
    for path in
        [format!("/v1/assistants/{assistant}"), format!("{runs}/{run}"), format!("{runs}/{run}/steps")]
    {
        let (status, _) = app.send_as("sk-b", Method::GET, &path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    let (_, list) = app.send_as("sk-b", Method::GET, "/v1/assistants", "").await;
    assert_eq!(
        list,
        json!({ "object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false })
    );
}
