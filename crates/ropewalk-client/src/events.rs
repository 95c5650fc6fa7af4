//! The events of a run as a client reads them, and what is mostly wanted of them.

use std::future::ready;

use futures_util::StreamExt;
use ropewalk_events::{Dispatcher, Event, EventHandler, Snapshot};
use ropewalk_types::{ContentDelta, MessageDelta, RunEventsQuery, RunId, ThreadId, endpoint};

use crate::{
    ClientError, ReplyStream, Runs,
    resume::{LastEvent, Resume},
};

impl Runs<'_> {
    /// The events of a run, whoever made it, until it is over: those behind the one with the number `after`, which is
    /// 0 for all, and those that are still to come. Where the run waits for outputs, the stream does too.
    ///
    /// `GET /threads/{thread_id}/runs/{run_id}/events`
    ///
    /// # Errors
    ///
    /// As for [`Client::call`](crate::Client::call). What fails later is an item of the stream.
    pub async fn events(
        self,
        thread_id: impl Into<ThreadId>,
        run_id: impl Into<RunId>,
        after: u64,
    ) -> Result<ReplyStream<Event>, ClientError> {
        let run = (thread_id.into(), run_id.into());
        let query = RunEventsQuery::starting_after(after);
        let response = self.0.send::<endpoint::StreamRunEvents>(run.clone(), query, ()).await?;
        Ok(ReplyStream::of_run(Resume::new(self.0.clone(), response.into_body(), true).of(run, after)))
    }
}

impl ReplyStream<Event> {
    /// The number of the last event given out. [`Runs::events`] goes on behind it, also in another process.
    ///
    /// `None` if the server gives no numbers, or the rounds of several streams are one.
    pub fn last_event(&self) -> Option<u64> {
        self.last_event.as_ref().map(LastEvent::number).filter(|number| *number > 0)
    }

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
        ReplyStream::new(self.items.filter_map(|event| ready(event.and_then(text).transpose())))
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
