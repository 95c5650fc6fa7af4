use std::{path::Path, sync::Arc};

use axum::{Router, body::Body};
use http::Request;
use http_body_util::BodyExt;
use ropewalk::{Runtime, RuntimeOptions, ScriptedModel, Value, router};
use ropewalk_store::{Blobs, Store};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

/// A server over a data folder, without a socket.
pub(super) struct Server {
    router: Router,
    _worker: DropGuard,
}

impl Server {
    pub(super) fn open(data: &Path) -> Self {
        let (store, blobs) = (Store::sqlite(data).unwrap(), Blobs::in_folder(data.join("blobs")).unwrap());
        let runtime = Runtime::new(store, blobs, Arc::new(ScriptedModel::new()), RuntimeOptions::default());
        let stop = CancellationToken::new();
        let router = router(runtime.clone());
        tokio::spawn({
            let stop = stop.clone();
            async move { runtime.work(stop).await }
        });
        Self { router, _worker: stop.drop_guard() }
    }

    pub(super) async fn delete(&self, path: &str) {
        let request = Request::delete(format!("/v1{path}")).header("openai-beta", "assistants=v2");
        self.send(request.body(Body::empty()).unwrap()).await;
    }

    async fn send(&self, request: Request<Body>) -> Vec<u8> {
        let named = format!("{} {}", request.method(), request.uri());
        let reply = self.router.clone().oneshot(request).await.unwrap();
        let status = reply.status();
        let body = reply.into_body().collect().await.unwrap().to_bytes().to_vec();
        assert!(status.is_success(), "{named}: {status} {}", String::from_utf8_lossy(&body));
        body
    }

    pub(super) async fn get(&self, path: &str) -> Vec<u8> {
        let request = Request::get(format!("/v1{path}")).header("openai-beta", "assistants=v2");
        self.send(request.header("prefer", "wait=30").body(Body::empty()).unwrap()).await
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await).unwrap()
    }

    /// Makes something and gives its id.
    pub(super) async fn post(&self, path: &str, body: Value) -> String {
        let request = Request::post(format!("/v1{path}")).header("openai-beta", "assistants=v2");
        let request = request.header("content-type", "application/json");
        id(&self.send(request.body(Body::from(body.to_string())).unwrap()).await)
    }

    pub(super) async fn upload(&self, name: &str, purpose: &str, content: &str) -> String {
        let body = format!(
            "--rope\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n--rope\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--rope--\r\n"
        );
        let request = Request::post("/v1/files").header("content-type", "multipart/form-data; boundary=rope");
        id(&self.send(request.body(Body::from(body)).unwrap()).await)
    }

    /// Waits until no file of the vector store is on its way.
    pub(super) async fn settled(&self, store: &str) {
        while self.json(&format!("/vector_stores/{store}")).await["status"] != "completed" {
            tokio::task::yield_now().await;
        }
    }
}

fn id(body: &[u8]) -> String {
    let object: Value = serde_json::from_slice(body).unwrap();
    object["id"].as_str().unwrap().to_owned()
}
