use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tower::Service;

use crate::{Body, ResponseFuture, TransportError, TransportErrorKind};

/// The general leaf, on reqwest: http and https, HTTP/1 and HTTP/2, the proxies of the environment.
///
/// It keeps connections alive and streams both ways. It follows no redirect, so that no key can reach another
/// host; and it never retries, as that is [`RetryLayer`](crate::RetryLayer)'s to do. Connecting may take 10 s.
#[derive(Debug, Clone)]
pub struct HttpLeaf {
    client: reqwest::Client,
}

impl HttpLeaf {
    /// A client with a pool of its own; clones share it.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::InvalidRequest`] if TLS cannot be set up, say because the system has no root
    /// certificates.
    pub fn new() -> Result<Self, TransportError> {
        // It fails when the program has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(TransportError::invalid)?;
        Ok(Self { client })
    }
}

impl Service<Request<Body>> for HttpLeaf {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let client = self.client.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request.map(outgoing)).map_err(failed)?;
            let response = client.execute(request).await.map_err(failed)?;
            Ok(Response::<reqwest::Body>::from(response).map(|body| Body::new(body.map_err(interrupted))))
        })
    }
}

fn outgoing(body: Body) -> reqwest::Body {
    match body.as_bytes() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(Outgoing(Mutex::new(body))),
    }
}

fn failed(error: reqwest::Error) -> TransportError {
    let kind = match &error {
        error if error.is_builder() => TransportErrorKind::InvalidRequest,
        error if error.is_connect() => TransportErrorKind::Connect,
        error if error.is_timeout() => TransportErrorKind::Timeout,
        _ => TransportErrorKind::Closed,
    };
    // The URL may hold what no log should.
    TransportError::new(kind).with_source(error.without_url())
}

fn interrupted(error: reqwest::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Interrupted).with_source(error.without_url())
}

/// reqwest wants a body that is `Sync`. The mutex is never contended: polling goes through `&mut`.
struct Outgoing(Mutex<Body>);

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        Pin::new(self.0.get_mut()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}
