use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::uri::Scheme;
use http::{Request, Response};
use tower::Service;

use crate::{Body, DirectLeaf, HttpLeaf, ResponseFuture, TransportError};

/// Chooses the leaf by the URL: [`DirectLeaf`] for `http`, [`HttpLeaf`] for all else.
///
/// TLS is set up by the first request that needs it, so a system without root certificates can still speak `http`.
#[derive(Debug, Clone, Default)]
pub struct SchemeLeaf {
    direct: DirectLeaf,
    http: Arc<OnceLock<HttpLeaf>>,
}

impl SchemeLeaf {
    /// Both leaves with pools of their own; clones share them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn http(&self) -> Result<HttpLeaf, TransportError> {
        match self.http.get() {
            Some(leaf) => Ok(leaf.clone()),
            None => HttpLeaf::new().map(|leaf| self.http.get_or_init(|| leaf).clone()),
        }
    }
}

impl Service<Request<Body>> for SchemeLeaf {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        if request.uri().scheme() == Some(&Scheme::HTTP) {
            return self.direct.call(request);
        }
        match self.http() {
            Ok(mut leaf) => leaf.call(request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}
