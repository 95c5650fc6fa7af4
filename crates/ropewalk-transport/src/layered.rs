use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use crate::{Body, HttpService, ResponseFuture, TransportError};

/// What a layer does around the rest of the stack. One call of it is one request.
pub(crate) trait Around: Send + Sync + 'static {
    fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, TransportError>> + Send;
}

/// The service that a layer of this crate makes of the service below it.
///
/// It is always ready: what has to be waited for is waited for inside the call.
#[derive(Debug, Clone)]
pub struct Layered<L, S> {
    layer: Arc<L>,
    next: S,
}

impl<L, S> Layered<L, S> {
    pub(crate) fn new(layer: L, next: S) -> Self {
        Self { layer: Arc::new(layer), next }
    }
}

impl<L: Around, S: HttpService> Service<Request<Body>> for Layered<L, S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        Box::pin(Arc::clone(&self.layer).around(self.next.clone(), request))
    }
}
