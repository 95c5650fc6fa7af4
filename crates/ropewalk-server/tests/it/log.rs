use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{ModelError, ModelErrorKind, Turn};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::app::App;

/// A log that a test can read.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Also where only warnings are logged, and whether the run is driven by its stream or by a task of its own.
#[tokio::test]
async fn every_line_of_a_request_and_of_its_run_carries_its_id() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let fail = || Turn::new().fail(ModelError::new(ModelErrorKind::Unavailable));
    let app = App::new([fail(), fail()]);
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    for stream in [true, false] {
        let body = json!({ "assistant_id": assistant, "stream": stream }).to_string();
        let mut request = App::request(Method::POST, "/v1/threads/runs", &body);
        request.headers_mut().insert("x-client-request-id", "mine-7".parse().unwrap());
        let response = app.respond(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        response.into_body().collect().await.unwrap();
        while !log.lines().iter().any(|line| line.contains(&id)) {
            tokio::task::yield_now().await;
        }
        let lines = log.lines();
        let line = lines.iter().find(|line| line.contains(&id)).unwrap();
        assert!(line.contains("model call failed") && line.contains("mine-7"), "{line}");
        assert!(!lines.iter().any(|line| line.contains("sk-a")), "{lines:?}");
    }
}
