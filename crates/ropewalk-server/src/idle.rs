//! Bodies that stop coming.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

type BoxError = Box<dyn Error + Send + Sync>;

/// The body did not go on in time.
#[derive(Debug, thiserror::Error)]
#[error("the body stopped coming")]
struct Idle;

/// Whether a body's error says that it stopped coming.
pub(crate) fn went_idle(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Idle>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a body was read to its end, for those who have the body no longer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended(Arc<AtomicBool>);

impl Ended {
    pub(crate) fn reached(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that fails if it is waited for too long.
pub(crate) struct TimedBody<B> {
    body: B,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer runs: what a slow reader leaves unread is no fault of the client.
    waiting: bool,
    ended: Ended,
}

impl<B: Body> TimedBody<B> {
    pub(crate) fn new(body: B, patience: Duration) -> Self {
        let ended = Ended(Arc::new(AtomicBool::new(body.is_end_stream())));
        Self { body, patience, timer: None, waiting: false, ended }
    }

    pub(crate) fn ended(&self) -> Ended {
        self.ended.clone()
    }
}

impl<B: Body<Error: Into<BoxError>> + Unpin> Body for TimedBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = false;
            if frame.is_none() || this.body.is_end_stream() {
                this.ended.0.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = this.patience;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !this.waiting {
            this.waiting = true;
            timer.as_mut().reset(Instant::now() + patience);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(Idle.into())))
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
    use axum::body::Body;
    use bytes::Bytes;
    use http_body_util::{BodyExt, Limited, channel::Channel};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_not_stop() {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let mut body = Limited::new(Body::new(TimedBody::new(body, Duration::from_secs(60))), 1024);
        let begun = Instant::now();
        for _ in 0..3 {
            sleep(Duration::from_secs(59)).await;
            sender.send_data(Bytes::from_static(b"x")).await.unwrap();
            assert!(body.frame().await.unwrap().is_ok());
        }
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(went_idle(&*error), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), 3 * 59 + 60);
    }
}
