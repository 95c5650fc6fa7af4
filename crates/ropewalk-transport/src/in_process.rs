use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::{Service, ServiceExt};

use crate::request::origin_form;
use crate::{Body, BoxError, ResponseFuture, TransportError, TransportErrorKind};

/// The leaf without a socket: the server is a service in this process, such as an axum `Router`.
///
/// The service sees what it would see behind a socket: a path, and the host as a header. Dropping the body of a
/// response drops the server's body.
#[derive(Debug, Clone)]
pub struct InProcess<S>(S);

impl<S> InProcess<S> {
    /// Sends every request to `service`, whatever host its URL names.
    pub fn new(service: S) -> Self {
        Self(service)
    }
}

impl<S, B> Service<Request<Body>> for InProcess<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let service = self.0.clone();
        Box::pin(async move {
            origin_form(&mut request)?;
            match service.oneshot(request).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error) => Err(TransportError::adopt(TransportErrorKind::Closed, error)),
            }
        })
    }
}
