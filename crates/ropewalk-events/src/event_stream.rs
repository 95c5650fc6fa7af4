use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{Decoder, Event, FrameStream, StreamError};

pin_project! {
    /// The events of a byte stream. It ends behind [`Event::Done`], with the bytes, or behind an error that no
    /// frame outlives; a single event that cannot be read does not end it.
    #[derive(Debug)]
    pub struct EventStream<S> {
        #[pin]
        frames: FrameStream<S>,
        done: bool,
    }
}

impl<S> EventStream<S> {
    /// Reads `bytes` with the default limit.
    pub fn new(bytes: S) -> Self {
        Self::with_decoder(bytes, Decoder::new())
    }

    /// Reads `bytes` with `decoder`, which may hold some already.
    pub fn with_decoder(bytes: S, decoder: Decoder) -> Self {
        Self { frames: FrameStream::with_decoder(bytes, decoder), done: false }
    }

    /// Whether [`Event::Done`] came, so that a stream that ended was not cut off.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The id of the last event given out, to be sent as `Last-Event-ID` on the next try; empty if there was none.
    pub fn last_event_id(&self) -> &str {
        self.frames.last_event_id()
    }

    /// How long the server asks to wait before the next try.
    pub fn retry(&self) -> Option<Duration> {
        self.frames.retry()
    }
}

impl<S, E> Stream for EventStream<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Error + 'static,
{
    type Item = Result<Event, StreamError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.done {
            return Poll::Ready(None);
        }
        let event = match ready!(this.frames.poll_next(cx)) {
            Some(Ok(frame)) => Event::from_frame(&frame).map_err(StreamError::from),
            Some(Err(error)) => Err(error),
            None => return Poll::Ready(None),
        };
        *this.done = matches!(event, Ok(Event::Done));
        Poll::Ready(Some(event))
    }
}
