//! The events of a run as a client reads them, and what is mostly wanted of them.

use std::{
    future::ready,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use futures_util::StreamExt;
use ropewalk_events::{Dispatcher, Event, EventHandler, EventStream, Snapshot};
use ropewalk_transport::{Body, DataStream};
use ropewalk_types::{ContentDelta, MessageDelta};

use crate::{ClientError, ReplyStream};

/// The events in `body`. It is an error if they end before the last one.
pub(crate) fn read(body: Body) -> ReplyStream<Event> {
    ReplyStream::new(Whole { events: EventStream::new(body.into_data_stream()), ended: false })
}

struct Whole {
    events: EventStream<DataStream>,
    ended: bool,
}

impl Stream for Whole {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let event = ready!(Pin::new(&mut self.events).poll_next(cx));
        self.ended = event.is_none();
        Poll::Ready(match event {
            Some(event) => Some(event.map_err(ClientError::from)),
            None if self.events.is_done() => None,
            None => Some(Err(ClientError::CutOff)),
        })
    }
}

impl ReplyStream<Event> {
    /// Reads to the end and tells `handler` what happens; gives back the handler, and what the events add up to.
    ///
    /// # Errors
    ///
    /// The first error of the stream. That the server broke the stream off, or that the run failed, is told to the
    /// handler and is no error here.
    pub async fn drive<H: EventHandler>(self, handler: H) -> Result<(H, Snapshot), ClientError> {
        let mut dispatcher = Dispatcher::new(handler);
        dispatcher.drive(self).await?;
        Ok(dispatcher.into_parts())
    }

    /// Reads to the end; gives back what the events add up to.
    ///
    /// # Errors
    ///
    /// The first error of the stream.
    pub async fn snapshot(mut self) -> Result<Snapshot, ClientError> {
        let mut snapshot = Snapshot::new();
        while let Some(event) = self.next().await {
            snapshot.apply(&event?)?;
        }
        Ok(snapshot)
    }

    /// The text that the assistant writes, piece by piece, and nothing else.
    ///
    /// An item is [`ClientError::RunEnded`] if the run ends otherwise than completed, and
    /// [`ClientError::ErrorEvent`] if the server breaks the stream off.
    pub fn text(self) -> ReplyStream<String> {
        ReplyStream::new(self.0.filter_map(|event| ready(event.and_then(text).transpose())))
    }
}

fn text(event: Event) -> Result<Option<String>, ClientError> {
    match event {
        Event::MessageDelta(delta) => Ok(Some(new_text(delta)).filter(|text| !text.is_empty())),
        Event::RunFailed(run)
        | Event::RunCancelled(run)
        | Event::RunExpired(run)
        | Event::RunIncomplete(run) => Err(ClientError::RunEnded(run)),
        Event::Error(error) => Err(ClientError::ErrorEvent(error)),
        _ => Ok(None),
    }
}

fn new_text(delta: MessageDelta) -> String {
    let parts = delta.delta.content.into_iter().filter_map(|part| match part {
        ContentDelta::Text { text, .. } => text?.value,
        ContentDelta::Refusal { refusal, .. } => refusal,
        _ => None,
    });
    parts.collect()
}
