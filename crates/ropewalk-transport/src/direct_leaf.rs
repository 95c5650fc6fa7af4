mod body;
mod connection;
mod pool;

use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::{Authority, Scheme};
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::Service;

use crate::request::{copy, origin_form};
use crate::{Body, ResponseFuture, TransportError};
use body::DirectBody;
use connection::Connection;
use pool::Pool;

/// The leaf for streams of tokens: plain `http`, HTTP/1, and every connection is driven by the task that reads the
/// response. No other task, no channel between tasks, stands between the socket and the reader.
///
/// Connections are kept for the next request when the body was read to its end: at most 512 a host, each for at most
/// 30 s. Dropping a body early closes its connection, which is how the server learns that nobody listens any more.
/// A request that finds its kept connection closed, before any byte of a response, is sent once more on a new one, unless
/// it was sent already and its method is not idempotent: the server may have died of it only after it was done.
/// Connecting may take 10 s. Proxies and redirects are not followed.
#[derive(Debug, Clone, Default)]
pub struct DirectLeaf {
    pool: Arc<Pool>,
}

impl DirectLeaf {
    /// A leaf with a pool of its own; clones share it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, TransportError> {
        if request.uri().scheme() != Some(&Scheme::HTTP) {
            return Err(TransportError::invalid("the direct leaf speaks plain `http` only"));
        }
        let host =
            origin_form(&mut request)?.ok_or_else(|| TransportError::invalid("the URL names no host"))?;
        if let Some(mut kept) = self.pool.take(&host) {
            let spare = if request.method().is_idempotent() { copy(&request) } else { None };
            match kept.exchange(request).await {
                Ok(response) => return Ok(self.hand_on(host, kept, response)),
                Err(lost) => {
                    let unanswered = kept.is_unanswered();
                    let again = lost.request.map(|request| *request).or(spare.filter(|_| unanswered));
                    request = again.ok_or(lost.error)?;
                }
            }
        }
        let mut fresh = Connection::open(&host).await?;
        let response = fresh.exchange(request).await.map_err(|lost| lost.error)?;
        Ok(self.hand_on(host, fresh, response))
    }

    fn hand_on(
        &self,
        host: Authority,
        connection: Box<Connection>,
        response: Response<Incoming>,
    ) -> Response<Body> {
        response.map(|incoming| {
            let body = DirectBody::new(incoming, connection, host, Arc::clone(&self.pool));
            if body.is_end_stream() { Body::empty() } else { Body::new(body) }
        })
    }
}

impl Service<Request<Body>> for DirectLeaf {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        Box::pin(self.clone().send(request))
    }
}
