use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, header::CONTENT_TYPE};
use ropewalk_events::Decoder;
use ropewalk_transport::{Body, DataStream, Secret, TransportError};
use tokio::time::{Sleep, sleep};

use super::answer::{Answer, MAX_BYTES, too_long};
use crate::{ModelError, ModelErrorKind, ModelEvent};

/// How long the end of the bytes is waited for behind the end of the answer.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// The events of one answer, read from its bytes as they are polled.
pub(crate) struct AnswerStream {
    bytes: DataStream,
    form: Form,
    answer: Answer,
    key: Option<Secret>,
    state: State,
    drain: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The answer goes on.
    Reading,
    /// The answer has ended, its bytes have not: only when their end was seen can the connection be used again.
    Draining,
    /// No more is read.
    Over,
}

/// How an answer comes.
#[expect(clippy::large_enum_variant, reason = "the stream around it is boxed already")]
pub(crate) enum Form {
    /// As server-sent events.
    Events(Decoder),
    /// As one JSON object, from a server that does not stream.
    Whole(Vec<u8>),
}

impl Form {
    /// Believes a server that says JSON, and takes all else for events unless it is made for people.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ModelError> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Whole(Vec::new())),
            "text/html" => Err(ModelError::new(ModelErrorKind::Protocol)),
            _ => Ok(Self::Events(Decoder::new())),
        }
    }
}

impl AnswerStream {
    pub(crate) fn new(body: Body, form: Form, key: Option<Secret>) -> Self {
        let bytes = body.into_data_stream();
        Self { bytes, form, answer: Answer::default(), key, state: State::Reading, drain: None }
    }

    /// Reads one frame of those that have come; `false` asks for more bytes.
    fn read(&mut self) -> Result<bool, ModelError> {
        let Form::Events(decoder) = &mut self.form else { return Ok(false) };
        let Some(frame) = decoder.next_frame().map_err(|error| too_long().with_source(error))? else {
            return Ok(false);
        };
        let key = self.key.as_ref().map_or("", Secret::expose);
        match frame.data.trim_ascii() {
            "" => {}
            "[DONE]" => self.end(State::Draining)?,
            error if frame.event == "error" => return Err(ModelError::from_error_event(error, key)),
            json => self.answer.read(json, key)?,
        }
        Ok(true)
    }

    /// Takes the next bytes, or what came in their place.
    fn receive(&mut self, next: Option<Result<Bytes, TransportError>>) -> Result<(), ModelError> {
        match (next, &mut self.form) {
            _ if self.state == State::Draining => self.state = State::Over,
            (Some(Ok(bytes)), Form::Events(decoder)) => decoder.push(bytes),
            (Some(Ok(bytes)), Form::Whole(whole)) if whole.len() + bytes.len() > MAX_BYTES => {
                return Err(too_long());
            }
            (Some(Ok(bytes)), Form::Whole(whole)) => whole.extend_from_slice(&bytes),
            (Some(Err(_)), _) if self.answer.is_complete() => self.end(State::Over)?,
            (Some(Err(error)), _) => return Err(error.into()),
            (None, Form::Whole(whole)) => {
                self.answer.read_whole(whole, self.key.as_ref().map_or("", Secret::expose))?;
                self.end(State::Over)?;
            }
            (None, Form::Events(decoder)) => {
                // The last frame may lack its blank line. If it cannot be read, it was cut off in its middle.
                decoder.push("\n\n".into());
                self.read().map_err(|error| match error.kind() {
                    ModelErrorKind::Protocol => ModelError::new(ModelErrorKind::Interrupted),
                    _ => error,
                })?;
                if self.state == State::Reading {
                    self.end(State::Over)?;
                }
            }
        }
        Ok(())
    }

    /// Done when the end of the bytes is waited for no longer.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state {
            State::Draining => {
                self.drain.get_or_insert_with(|| Box::pin(sleep(DRAIN_LIMIT))).as_mut().poll(cx)
            }
            _ => Poll::Pending,
        }
    }

    fn end(&mut self, state: State) -> Result<(), ModelError> {
        self.state = state;
        self.answer.end()
    }
}

impl Stream for AnswerStream {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.answer.take() {
                return Poll::Ready(Some(Ok(event)));
            }
            let has_read = match this.state {
                State::Reading => this.read(),
                State::Draining => Ok(false),
                State::Over => return Poll::Ready(None),
            };
            let moved = match has_read {
                Ok(true) => Ok(()),
                Ok(false) => match Pin::new(&mut this.bytes).poll_next(cx) {
                    Poll::Ready(next) => this.receive(next),
                    Poll::Pending => {
                        ready!(this.poll_drained(cx));
                        this.state = State::Over;
                        Ok(())
                    }
                },
                Err(error) => Err(error),
            };
            if let Err(error) = moved {
                (this.state, this.answer) = (State::Over, Answer::default());
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}
