use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{Decoder, Frame, StreamError};

pin_project! {
    /// The frames of a byte stream. It ends with the bytes, or behind the first error.
    #[derive(Debug)]
    pub struct FrameStream<S> {
        #[pin]
        bytes: S,
        decoder: Decoder,
        ended: bool,
    }
}

impl<S> FrameStream<S> {
    /// Reads `bytes` with the default limit.
    pub fn new(bytes: S) -> Self {
        Self::with_decoder(bytes, Decoder::new())
    }

    /// Reads `bytes` with `decoder`, which may hold some already.
    pub fn with_decoder(bytes: S, decoder: Decoder) -> Self {
        Self { bytes, decoder, ended: false }
    }

    /// The id of the last frame given out, to be sent as `Last-Event-ID` on the next try; empty if there was none.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// How long the server asks to wait before the next try.
    pub fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }
}

impl<S, E> Stream for FrameStream<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Error + 'static,
{
    type Item = Result<Frame, StreamError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            match this.decoder.next_frame() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if *this.ended => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
            match ready!(this.bytes.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => this.decoder.push(chunk),
                Some(Err(error)) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(StreamError::Bytes(error))));
                }
                None => *this.ended = true,
            }
        }
    }
}
