use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

use crate::streams::StreamSlot;

/// What is sent where nothing else is, so that nobody on the way takes the connection for dead.
///
/// A comment is a line. A blank line behind it would end an event that is none: the official Python SDK, which keeps
/// the `id` of the event before, would read one there and fail at its empty data.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n");
/// The bounds of the wait for one, whatever is asked for.
const WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_hours(24));

/// A run's events as a body, and the room that they take. Polling it drives the run.
pub(crate) struct EventBody<S> {
    events: S,
    /// How long nothing is sent before a comment is, at least; at most twice as long.
    keep_alive: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether something was sent since the timer was set. To set it anew for each event would cost more.
    sent: bool,
    _slot: StreamSlot,
}

impl<S> EventBody<S> {
    pub(crate) fn new(events: S, slot: StreamSlot, keep_alive: Duration) -> Self {
        Self { events, keep_alive: keep_alive.clamp(WAITS.0, WAITS.1), timer: None, sent: false, _slot: slot }
    }
}

impl<S: Stream<Item = Bytes> + Unpin> Body for EventBody<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if let Poll::Ready(events) = Pin::new(&mut this.events).poll_next(context) {
            this.sent = true;
            return Poll::Ready(events.map(|events| Ok(Frame::data(events))));
        }
        let keep_alive = this.keep_alive;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(keep_alive)));
        loop {
            ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(Instant::now() + keep_alive);
            if !std::mem::take(&mut this.sent) {
                return Poll::Ready(Some(Ok(Frame::data(KEEP_ALIVE))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;
    use ropewalk_store::Organization;

    use super::*;
    use crate::{bounds::Bounds, streams::Streams};

    const KEEP: Duration = Duration::from_secs(15);

    fn body<S: Stream<Item = Bytes> + Unpin>(events: S) -> EventBody<S> {
        let slot = Streams::new(&Bounds::default()).open(&Organization::new("org-a")).unwrap();
        EventBody::new(events, slot, KEEP)
    }

    /// When each frame came, in seconds, and what it was.
    async fn frames(events: impl Stream<Item = Bytes> + Unpin) -> Vec<(u64, Bytes)> {
        let begun = Instant::now();
        let mut body = body(events);
        let mut frames = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            frames.push((begun.elapsed().as_secs(), frame.into_data().unwrap()));
        }
        frames
    }

    /// An event after each of these pauses.
    fn events(pauses: &'static [u64]) -> impl Stream<Item = Bytes> + Unpin {
        let event = |seconds: &'static u64| async move {
            sleep(Duration::from_secs(*seconds)).await;
            Bytes::from_static(b"event")
        };
        Box::pin(stream::iter(pauses).then(event))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_in_which_nothing_happens_is_kept_alive_until_something_does() {
        let seen = frames(events(&[40, 1])).await;
        let event = Bytes::from_static(b"event");
        assert_eq!(seen, [(15, KEEP_ALIVE), (30, KEEP_ALIVE), (40, event.clone()), (41, event)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_in_which_something_happens_is_left_alone() {
        let seen = frames(events(&[10, 10, 10, 10, 14])).await;
        assert!(seen.iter().all(|(_, bytes)| *bytes != KEEP_ALIVE), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_lasts_less_than_twice_as_long_as_is_allowed() {
        // At the 15th second something was sent in the first, at the 30th nothing since.
        let seen = frames(events(&[1, 50])).await;
        let times: Vec<u64> = seen.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [1, 30, 45, 51]);
    }
}
