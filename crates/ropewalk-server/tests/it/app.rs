use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{Router, body::Body};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{Model, ScriptedModel, Turn};
use ropewalk_server::{Keys, Runtime, RuntimeOptions, router};
use ropewalk_store::{Blobs, Clock, Store, SystemClock, TimeOrderedIds};
use serde_json::Value;
use tower::ServiceExt;

use crate::reply_schema;

/// A server with the keys of two organisations.
pub(crate) struct App {
    router: Router,
    store: Store,
}

impl App {
    pub(crate) fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(Self::options(), turns)
    }

    pub(crate) fn options() -> RuntimeOptions {
        let mut options = RuntimeOptions::default();
        let keys =
            br#"{"keys":[{"key":"sk-a","organization":"org-a"},{"key":"sk-b","organization":"org-b"}]}"#;
        options.keys = Keys::from_json(keys).unwrap();
        options.max_body_bytes = 4096;
        options
    }

    pub(crate) fn with(options: RuntimeOptions, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with_clock(options, turns, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(
        options: RuntimeOptions,
        turns: impl IntoIterator<Item = Turn>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::over(Arc::new(ScriptedModel::with_turns(turns)), options, clock)
    }

    /// The same over any model.
    pub(crate) fn over(model: Arc<dyn Model>, options: RuntimeOptions, clock: Arc<dyn Clock>) -> Self {
        let store = Store::in_memory();
        let runtime = Runtime::with_clock(
            store.clone(),
            Blobs::in_memory(),
            model,
            options,
            clock,
            Arc::new(TimeOrderedIds),
        );
        Self::of(runtime, store)
    }

    /// The same over a runtime of the test's own.
    pub(crate) fn of(runtime: Runtime, store: Store) -> Self {
        Self { router: router(runtime), store }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// A request as an SDK sends it, with the key of the first organisation.
    pub(crate) fn request(method: Method, path: &str, body: &str) -> Request<Body> {
        Self::request_as("sk-a", method, path, body)
    }

    fn request_as(key: &str, method: Method, path: &str, body: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path).header("openai-beta", "assistants=v2");
        let request = request.header("authorization", format!("Bearer {key}"));
        request.body(Body::from(body.to_owned())).unwrap()
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
        self.raw(Self::request_as(key, method, path, body)).await
    }

    /// Gets what is at `path` with these headers and the one of the beta.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Value) {
        let request = Request::get(path);
        let request =
            if path.starts_with("/v1") { request.header("openai-beta", "assistants=v2") } else { request };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.raw(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.respond(request).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let response = reply_schema::checked(&method, &path, response).await;
        assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
        response
    }

    pub(crate) async fn make(&self, path: &str, body: &str) -> String {
        let (status, object) = self.send(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{object}");
        object["id"].as_str().unwrap().to_owned()
    }
}

/// A clock that stands until it is told to go on.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_700_000_000_000))
    }
}

impl TestClock {
    pub(crate) fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
