use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::{Layer, ServiceExt};

use crate::layered::Around;
use crate::{Body, HttpService, Layered, TransportError, TransportErrorKind};

/// Bounds the time until the headers of a response, until the first piece of its body, and the wait for each next one.
///
/// A stream may last as long as it likes while something keeps coming, be it a comment that means nothing: `: keep-alive`.
/// One that falls silent fails, and its connection is closed. The time in which the reader does not read is not counted.
/// Without limits set it does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeoutLayer {
    headers: Option<Duration>,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
}

impl TimeoutLayer {
    /// Without limits yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds the time from the request until the headers of the response.
    #[must_use]
    pub fn headers(mut self, limit: Duration) -> Self {
        self.headers = Some(limit);
        self
    }

    /// Bounds the time from the request until the first piece of the body, headers or not. That piece may take as long
    /// as any later one in any case, counted from the headers.
    #[must_use]
    pub fn first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = Some(limit);
        self
    }

    /// Bounds the wait between two pieces of the body.
    #[must_use]
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = Some(limit);
        self
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(*self, next)
    }
}

impl Around for TimeoutLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let begun = Instant::now();
        let response = next.oneshot(request);
        let response = match self.headers.into_iter().chain(self.first_byte).min() {
            None => response.await?,
            Some(limit) => timeout(limit, response)
                .await
                .map_err(|elapsed| TransportError::new(TransportErrorKind::Timeout).with_source(elapsed))??,
        };
        let limit = self.first_byte.map(|limit| limit.saturating_sub(begun.elapsed())).max(self.idle);
        if limit.is_none() || response.body().is_end_stream() {
            return Ok(response);
        }
        let idle = self.idle;
        Ok(response.map(|body| Body::new(IdleBody { body, limit, idle, waiting_since: None, alarm: None })))
    }
}

/// A body that fails when nothing comes for `limit`.
///
/// The alarm is not moved with every piece, which would cost a timer operation for each: it rings, looks how long
/// this wait has really taken, and sleeps on.
struct IdleBody {
    body: Body,
    /// For the piece that is waited for: another one for the first.
    limit: Option<Duration>,
    idle: Option<Duration>,
    waiting_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for IdleBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting_since = None;
            if this.limit != this.idle {
                (this.limit, this.alarm) = (this.idle, None);
            }
            return Poll::Ready(frame);
        }
        let Some(limit) = this.limit else { return Poll::Pending };
        let since = *this.waiting_since.get_or_insert_with(Instant::now);
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        loop {
            ready!(alarm.as_mut().poll(cx));
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                this.body = Body::empty();
                return Poll::Ready(Some(Err(TransportError::new(TransportErrorKind::Timeout))));
            }
            alarm.as_mut().reset(Instant::now() + left);
        }
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
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;

    fn request() -> Request<Body> {
        Request::get("/").body(Body::empty()).unwrap()
    }

    /// A server whose body comes in pieces, each after the given wait in seconds.
    fn dripping(waits: &'static [u64]) -> impl HttpService {
        tower::service_fn(move |_| async move {
            let frames = stream::iter(waits).then(|wait| async move {
                sleep(Duration::from_secs(*wait)).await;
                Ok::<_, TransportError>(Frame::data(Bytes::from_static(b"x")))
            });
            Ok(Response::builder()
                .header("x-request-id", "req_9")
                .body(Body::new(StreamBody::new(frames)))
                .unwrap())
        })
    }

    fn drips(waits: &'static [u64], idle: Duration) -> Transport {
        Transport::builder(dripping(waits)).idle_timeout(idle).build()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_an_answer_is_given_up_after_the_limit() {
        let leaf = tower::service_fn(|_: Request<Body>| std::future::pending());
        let transport = Transport::builder(leaf).header_timeout(Duration::from_secs(7)).build();
        let start = Instant::now();
        let error = transport.send(request()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (TransportErrorKind::Timeout, 7));
        assert!(error.may_have_been_sent());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_stream_lives_while_something_keeps_coming() {
        let response = drips(&[4, 4, 1, 4, 4], Duration::from_secs(5)).send(request()).await.unwrap();
        assert_eq!(response.into_body().collect(100).await.unwrap(), "xxxxx");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_is_cut_off_after_exactly_the_limit() {
        let start = Instant::now();
        let response = drips(&[4, 6], Duration::from_secs(5)).send(request()).await.unwrap();
        let error = response.into_body().collect(100).await.unwrap_err();
        assert_eq!((error.kind(), error.request_id()), (TransportErrorKind::Timeout, Some("req_9")));
        assert_eq!(start.elapsed(), Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_may_take_longer_than_the_next_but_not_for_ever() {
        let first = Duration::from_secs(30);
        for (waits, idle, came_to) in [
            (&[29, 4, 4][..], Some(5), Ok(37)),
            (&[31, 1], Some(5), Err(30)),
            (&[29, 6], Some(5), Err(34)),
            (&[29, 60], None, Ok(89)),
            (&[31], None, Err(30)),
            (&[31], Some(40), Ok(31)),
        ] {
            let start = Instant::now();
            let transport = Transport::builder(dripping(waits)).first_byte_timeout(first);
            let transport = match idle {
                Some(idle) => transport.idle_timeout(Duration::from_secs(idle)).build(),
                None => transport.build(),
            };
            let body = transport.send(request()).await.unwrap().into_body().collect(100).await;
            let seconds = start.elapsed().as_secs();
            let told = body.map(|_| seconds).map_err(|error| {
                assert_eq!(error.kind(), TransportErrorKind::Timeout);
                seconds
            });
            assert_eq!(told, came_to, "{waits:?} {idle:?}");
        }
        let silent = tower::service_fn(|_: Request<Body>| std::future::pending());
        let start = Instant::now();
        let error = Transport::builder(silent).first_byte_timeout(first).build().send(request()).await;
        assert_eq!((error.unwrap_err().kind(), start.elapsed()), (TransportErrorKind::Timeout, first));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_no_idle_server() {
        let response = drips(&[1, 4, 1], Duration::from_secs(5)).send(request()).await.unwrap();
        let mut data = response.into_body().into_data_stream();
        assert!(data.next().await.unwrap().is_ok());
        sleep(Duration::from_secs(60)).await;
        assert_eq!(data.map(Result::unwrap).collect::<Vec<_>>().await.len(), 2);
    }
}
