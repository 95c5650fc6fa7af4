use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::{Stream, stream::BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use ropewalk_events::Event;

use crate::{
    ClientError,
    resume::{LastEvent, Resume},
};

/// What a server sends piece by piece: the events of a run, the rows of a list.
///
/// A plain [`Stream`], with what is needed most beside it, so that no other crate has to be. Dropping it stops the
/// transfer, not the run.
pub struct ReplyStream<T> {
    pub(crate) items: BoxStream<'static, Result<T, ClientError>>,
    /// Of the events of a run.
    pub(crate) last_event: Option<LastEvent>,
}

impl<T> ReplyStream<T> {
    pub(crate) fn new(items: impl Stream<Item = Result<T, ClientError>> + Send + 'static) -> Self {
        Self { items: items.boxed(), last_event: None }
    }

    /// The next item; `None` behind the last.
    pub async fn next(&mut self) -> Option<Result<T, ClientError>> {
        self.items.next().await
    }

    /// All items, once the last is there.
    ///
    /// # Errors
    ///
    /// The first error of the stream.
    pub async fn collect(self) -> Result<Vec<T>, ClientError> {
        self.items.try_collect().await
    }
}

impl ReplyStream<Event> {
    pub(crate) fn of_run(events: Resume) -> Self {
        let last_event = Some(events.last());
        Self { last_event, ..Self::new(events) }
    }
}

impl<T> Stream for ReplyStream<T> {
    type Item = Result<T, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for ReplyStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyStream")
    }
}
