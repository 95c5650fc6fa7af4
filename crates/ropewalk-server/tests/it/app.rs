use std::sync::Arc;

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{ScriptedModel, Turn};
use ropewalk_server::{Keys, Runtime, RuntimeOptions, router};
use ropewalk_store::Store;
use serde_json::Value;
use tower::ServiceExt;

/// A server with the keys of two organisations.
pub(crate) struct App(Router);

impl App {
    pub(crate) fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let mut options = RuntimeOptions::default();
        let keys =
            br#"{"keys":[{"key":"sk-a","organization":"org-a"},{"key":"sk-b","organization":"org-b"}]}"#;
        options.keys = Keys::from_json(keys).unwrap();
        options.max_body_bytes = 4096;
        let model = Arc::new(ScriptedModel::with_turns(turns));
        Self(router(Runtime::new(Store::in_memory(), model, options)))
    }

    /// Sends a request as an SDK does, with the key of the first organisation.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        self.send_as("sk-a", method, path, body).await
    }

    pub(crate) async fn send_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("openai-beta", "assistants=v2");
        let request = request.header("authorization", format!("Bearer {key}"));
        self.raw(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.0.clone().oneshot(request).await.unwrap();
        assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn make(&self, path: &str, body: &str) -> String {
        let (status, object) = self.send(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{object}");
        object["id"].as_str().unwrap().to_owned()
    }
}
