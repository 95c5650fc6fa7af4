use std::{
    fmt, mem,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use ropewalk_events::Event;
use ropewalk_types::{ErrorObject, RunStepInclude};

/// Bytes waiting beyond which the run pauses for its reader, while the reader itself drives it.
const HIGH_WATER: usize = 64 * 1024;
/// Bytes waiting beyond which a reader is given up, once the run goes on without it.
const OVERFLOW: usize = 1024 * 1024;

/// The encoded events of one run, between whoever drives it and its one reader.
pub(crate) struct Feed(Mutex<Inner>);

struct Inner {
    buffer: Vec<u8>,
    reader: Reader,
    /// Whether the reader asked for all that there is to know of a step.
    whole_steps: bool,
    reader_waker: Option<Waker>,
    driver_waker: Option<Waker>,
    closed: bool,
}

/// How the reader stands to the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Nobody reads: events are not even encoded.
    Absent,
    /// It drives the run, so the run may wait for it.
    Driving,
    /// The run goes on without it; what it does not read in time is lost to it, never to the run.
    Following,
}

impl Feed {
    pub(crate) fn new(read: bool, include: &[RunStepInclude]) -> Self {
        Self(Mutex::new(Inner {
            buffer: Vec::new(),
            reader: if read { Reader::Driving } else { Reader::Absent },
            whole_steps: include.contains(&RunStepInclude::SearchContent),
            reader_waker: None,
            driver_waker: None,
            closed: false,
        }))
    }

    /// Adds events; says whether the run has to wait for [`room`](Self::room) now.
    pub(crate) fn send(&self, events: &[Event]) -> bool {
        let mut inner = self.0.lock();
        if events.is_empty() || inner.closed || inner.reader == Reader::Absent {
            return false;
        }
        for event in events {
            let stripped = if inner.whole_steps { None } else { stripped(event) };
            stripped.as_ref().unwrap_or(event).encode(&mut inner.buffer, None);
        }
        if inner.reader == Reader::Following && inner.buffer.len() > OVERFLOW {
            inner.buffer.clear();
            let error = ErrorObject::server("The stream was read too slowly; poll the run instead.");
            Event::Error(Box::new(error)).encode(&mut inner.buffer, None);
            inner.closed = true;
        }
        inner.wake_reader();
        inner.is_full()
    }

    /// Tells the reader that the stream, not the run, failed, and ends it.
    pub(crate) fn fail(&self, message: &str) {
        self.send(&[Event::Error(Box::new(ErrorObject::server(message)))]);
        self.close();
    }

    /// Ends the stream with `done`.
    pub(crate) fn finish(&self) {
        self.send(&[Event::Done]);
        self.close();
    }

    fn close(&self) {
        let mut inner = self.0.lock();
        inner.closed = true;
        inner.wake_reader();
    }

    /// Waits until the reader has caught up, if it is the one who drives the run.
    pub(crate) async fn room(&self) {
        std::future::poll_fn(|context| {
            let mut inner = self.0.lock();
            if !inner.is_full() {
                return Poll::Ready(());
            }
            inner.driver_waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// What has come since the last call; `None` at the end.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut inner = self.0.lock();
        if !inner.buffer.is_empty() {
            let bytes = mem::take(&mut inner.buffer);
            if let Some(waker) = inner.driver_waker.take() {
                waker.wake();
            }
            return Poll::Ready(Some(Bytes::from(bytes)));
        }
        if inner.closed {
            return Poll::Ready(None);
        }
        inner.reader_waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// The reader no longer drives the run.
    pub(crate) fn follow(&self) {
        self.set(Reader::Following);
    }

    /// The reader is gone.
    pub(crate) fn abandon(&self) {
        self.set(Reader::Absent);
    }

    fn set(&self, reader: Reader) {
        let mut inner = self.0.lock();
        inner.reader = reader;
        if reader == Reader::Absent {
            inner.buffer = Vec::new();
        }
        if let Some(waker) = inner.driver_waker.take() {
            waker.wake();
        }
    }
}

/// `event` without what is sent only to those who ask for it, if it has that.
fn stripped(event: &Event) -> Option<Event> {
    match event {
        Event::RunStepCompleted(step)
        | Event::RunStepFailed(step)
        | Event::RunStepCancelled(step)
        | Event::RunStepExpired(step) => {
            let mut step = step.clone();
            step.strip();
            Some(Event::of_step(step))
        }
        _ => None,
    }
}

impl Inner {
    fn is_full(&self) -> bool {
        self.reader == Reader::Driving && self.buffer.len() >= HIGH_WATER
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader_waker.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Feed")
            .field("waiting_bytes", &inner.buffer.len())
            .field("closed", &inner.closed)
            .finish_non_exhaustive()
    }
}
