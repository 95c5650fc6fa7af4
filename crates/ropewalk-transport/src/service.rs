use std::pin::Pin;

use http::{Request, Response};
use tower::Service;

use crate::{Body, TransportError};

/// What every leaf and every layer of this crate answers with.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, TransportError>> + Send>>;

/// The seam: a cheaply cloned tower service from request to response.
///
/// It is implemented for every service of this shape, so that a leaf of your own needs nothing but
/// [`tower::Service`].
pub trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = TransportError, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = TransportError, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}
