use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, ServiceExt};

use crate::layered::Around;
use crate::{Body, HttpService, Layered, TransportError, TransportErrorKind};

/// Bounds the requests in flight. One is in flight until its response body has ended or was dropped.
///
/// Clones of one layer share one bound, and so do all services that they make.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimitLayer {
    places: Arc<Semaphore>,
}

impl ConcurrencyLimitLayer {
    /// At most `requests` at a time; 0 counts as 1.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(requests.clamp(1, Semaphore::MAX_PERMITS))) }
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(self.clone(), next)
    }
}

impl Around for ConcurrencyLimitLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place
            .map_err(|closed| TransportError::new(TransportErrorKind::Closed).with_source(closed).unsent())?;
        let response = next.oneshot(request).await?;
        Ok(response.map(|body| {
            if body.is_end_stream() { body } else { Body::new(PlacedBody { body, place: Some(place) }) }
        }))
    }
}

/// A body that holds its request's place until it ends.
struct PlacedBody {
    body: Body,
    place: Option<OwnedSemaphorePermit>,
}

impl http_body::Body for PlacedBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.place = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;
    use futures_util::FutureExt;

    fn request() -> Request<Body> {
        Request::get("/").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_place_is_held_until_the_body_ends_or_is_dropped() {
        let leaf = tower::service_fn(|_| async { Ok(Response::new(Body::from("rope"))) });
        let transport = Transport::builder(leaf).concurrency_limit(1).build();

        let first = transport.send(request()).await.unwrap();
        let mut second = Box::pin(transport.send(request()));
        assert!(second.as_mut().now_or_never().is_none(), "the first body is still unread");
        assert_eq!(first.into_body().collect(4).await.unwrap(), "rope");

        let second = second.await.unwrap();
        let mut third = Box::pin(transport.send(request()));
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn a_response_without_a_body_holds_no_place() {
        let leaf = tower::service_fn(|_| async { Ok(Response::new(Body::empty())) });
        let transport = Transport::builder(leaf).concurrency_limit(0).build();
        let _first = transport.send(request()).await.unwrap();
        assert!(transport.send(request()).now_or_never().is_some());
    }
}
