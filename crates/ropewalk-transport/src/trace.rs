use std::error::Error;
use std::sync::Arc;

use http::{Request, Response};
use tower::{Layer, ServiceExt};
use tracing::Instrument;
use tracing::field::Empty;

use crate::layered::Around;
use crate::request::request_id;
use crate::{Body, HttpService, Layered, TransportError};

/// Records a span `http_request` for each request: method, host, path, status and request id.
///
/// Queries, other headers and bodies never appear in it. The span ends with the headers of the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceLayer;

impl<S> Layer<S> for TraceLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(*self, next)
    }
}

impl Around for TraceLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let span = tracing::info_span!(
            "http_request",
            method = %request.method(),
            host = request.uri().host(),
            path = request.uri().path(),
            status = Empty,
            request_id = Empty,
        );
        let result = next.oneshot(request).instrument(span.clone()).await;
        match &result {
            Ok(response) => {
                span.record("status", response.status().as_u16());
                let id = request_id(response.headers()).and_then(|id| id.to_str().ok());
                span.record("request_id", id);
                tracing::debug!(parent: &span, "answered");
            }
            Err(error) => tracing::warn!(parent: &span, error = error as &dyn Error, "failed"),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuthLayer, Transport};
    use parking_lot::Mutex;
    use std::io;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_span_says_where_and_how_it_went_but_no_secret() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let leaf = tower::service_fn(|_| async {
            Ok(Response::builder()
                .status(201)
                .header("x-request-id", "req_3")
                .body(Body::from("answer"))
                .unwrap())
        });
        let auth = AuthLayer::new().bearer(&"sk-hidden".into()).unwrap();
        let transport = Transport::builder(leaf).trace().auth(auth).build();
        let request =
            Request::post("http://user:word@host/v1/runs?token=hidden").body("question".into()).unwrap();

        let _guard = tracing::subscriber::set_default(subscriber);
        transport.send(request).await.unwrap();

        let log = String::from_utf8(log.0.lock().clone()).unwrap();
        let span = r#"http_request{method=POST host="host" path="/v1/runs" status=201 request_id="req_3"}"#;
        assert!(log.contains(span), "{log}");
        assert!(
            !["hidden", "word", "question", "answer\""].iter().any(|secret| log.contains(secret)),
            "{log}"
        );
    }
}
