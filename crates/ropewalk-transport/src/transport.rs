use std::fmt;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::request::request_id;
use crate::{Body, HttpService, ResponseFuture, TransportBuilder, TransportError};

/// A whole stack behind one name: cheap to clone, `Send` and `Sync`, itself a [`tower::Service`].
///
/// Errors of its response bodies carry the `x-request-id` of the response.
#[derive(Clone)]
pub struct Transport(BoxCloneSyncService<Request<Body>, Response<Body>, TransportError>);

impl Transport {
    /// A transport that is `service` and nothing else.
    pub fn new(service: impl HttpService) -> Self {
        Self(BoxCloneSyncService::new(service.map_response(name_body)))
    }

    /// Stacks layers on `leaf`.
    pub fn builder<L: HttpService>(leaf: L) -> TransportBuilder<L> {
        TransportBuilder::new(leaf)
    }

    /// Sends one request. Dropping the future, or later the body of the response, stops the work behind it.
    ///
    /// # Errors
    ///
    /// A [`TransportError`] if no response came; a response with an error status is no error.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        self.clone().oneshot(request).await
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        self.0.call(request)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

fn name_body(mut response: Response<Body>) -> Response<Body> {
    let id = request_id(response.headers()).cloned();
    response.body_mut().set_request_id(id);
    response
}
