//! The newest events of a run that is being driven, for those who read along.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use ropewalk_events::Event;
use ropewalk_store::Batch;
use ropewalk_types::{RunId, RunStepInclude};
use tokio::time::Instant;

use crate::journal::{self, Draft, MOST_UNSTORED};

/// Bytes of deltas beyond which they are stored, few though they may be.
const MOST_UNSTORED_BYTES: usize = 64 * 1024;
/// How long deltas may wait to be stored, once there are a few: a slow answer is kept as it grows.
const LONGEST_UNSTORED: Duration = Duration::from_secs(1);
/// How many deltas are a few. The clock is looked at each time as many more have come.
const FEW: u64 = 4;
/// Bytes of stored events that are kept for readers who are behind. Who falls further behind reads the store.
const MOST_STORED_BYTES: usize = 64 * 1024;

/// The events of one run between whoever drives it and all who read along: encoded once, numbered, kept until they are
/// stored and read. What a reader leaves unread never grows beyond what is kept anyway.
pub(crate) struct EventLog(Mutex<Inner>);

struct Inner {
    /// Frames, oldest first.
    frames: Vec<u8>,
    /// How many bytes of the log were let go of: places in it are counted from its beginning.
    gone: u64,
    /// How much of `frames` is stored.
    stored: usize,
    /// The number of the last event that is stored.
    stored_last: u64,
    /// When something was stored last.
    stored_at: Instant,
    /// The number of the last event that `frames` lacks.
    gone_last: u64,
    /// The number of the last event that was told.
    last: u64,
    /// Whether events tell all that there is to know of a step.
    whole: bool,
    readers: Vec<Option<Reader>>,
    end: Option<End>,
}

/// How the log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The run waits for outputs or is over: all is told.
    Finished,
    /// The run goes on elsewhere, or later.
    LetGo,
}

struct Reader {
    /// Its place in the log.
    place: u64,
    waker: Option<Waker>,
}

impl EventLog {
    /// A log that goes on behind the stored event `stored_last`; its events are numbered from behind `last` on.
    pub(crate) fn new(stored_last: u64, last: u64, include: &[RunStepInclude]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            frames: Vec::new(),
            gone: 0,
            stored: 0,
            stored_last,
            stored_at: Instant::now(),
            gone_last: stored_last,
            last,
            whole: include.contains(&RunStepInclude::SearchContent),
            readers: Vec::new(),
            end: None,
        })))
    }

    /// Encodes events that are to be told once they are stored.
    pub(crate) fn draft(&self, events: &[Event]) -> Draft {
        let inner = self.0.lock();
        Draft::new(inner.last, events, inner.whole)
    }

    /// Adds to a commit what is not stored yet, `draft` included.
    pub(crate) fn store(&self, batch: Batch, run: &RunId, draft: &Draft) -> Batch {
        let inner = self.0.lock();
        journal::store(batch, run, &[&inner.frames[inner.stored..], &draft.bytes], draft.last)
    }

    /// Whether a commit of `draft` has a chunk.
    pub(crate) fn has_unstored(&self, draft: &Draft) -> bool {
        self.0.lock().has_unstored(draft)
    }

    /// Whether as many numbers lie between `draft` and what is stored as the next process would leave out.
    pub(crate) fn runs_ahead(&self, draft: &Draft) -> bool {
        draft.last.saturating_sub(self.0.lock().stored_last) >= MOST_UNSTORED
    }

    /// Tells of events that were just stored, with all before them.
    pub(crate) fn tell_stored(&self, draft: &Draft) {
        let mut inner = self.0.lock();
        if !inner.has_unstored(draft) {
            // Numbers that are left out are not stored before an event behind them is.
            return;
        }
        inner.frames.extend_from_slice(&draft.bytes);
        inner.stored = inner.frames.len();
        inner.stored_at = Instant::now();
        (inner.last, inner.stored_last) = (draft.last, draft.last);
        inner.let_go();
        inner.wake();
    }

    /// Tells of events that need not be stored yet; says whether it is time to.
    pub(crate) fn tell(&self, events: &[Event]) -> bool {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        inner.last = journal::encode(&mut inner.frames, inner.last, events, inner.whole);
        inner.wake();
        let unstored = inner.last - inner.stored_last;
        // One turn of the machine tells of a few events at most.
        unstored >= MOST_UNSTORED / 2
            || inner.frames.len() - inner.stored >= MOST_UNSTORED_BYTES
            || (unstored.is_multiple_of(FEW) && inner.stored_at.elapsed() >= LONGEST_UNSTORED)
    }

    /// Nothing more is told here.
    pub(crate) fn close(&self, end: End) {
        let mut inner = self.0.lock();
        inner.end = Some(end);
        inner.wake();
    }

    /// Reads along behind event `after`; `None` if what follows it is no longer here, or not yet.
    pub(crate) fn read(self: &Arc<Self>, after: u64) -> Option<Tail> {
        let mut inner = self.0.lock();
        // Behind what was not told yet it is not known where to begin.
        if after < inner.gone_last || after > inner.last {
            return None;
        }
        let skipped =
            if after == inner.last { inner.frames.len() } else { journal::behind(&inner.frames, after) };
        let reader = Some(Reader { place: inner.gone + skipped as u64, waker: None });
        let free = inner.readers.iter().position(Option::is_none);
        let seat = free.unwrap_or(inner.readers.len());
        match inner.readers.get_mut(seat) {
            Some(place) => *place = reader,
            None => inner.readers.push(reader),
        }
        Some(Tail { log: self.clone(), seat, begin: after })
    }
}

impl Inner {
    fn has_unstored(&self, draft: &Draft) -> bool {
        self.stored < self.frames.len() || !draft.bytes.is_empty()
    }

    /// Lets go of stored events that all readers have read, and of more than those who are behind may ask for.
    fn let_go(&mut self) {
        let unread = |reader: &Reader| reader.place < self.gone + self.stored as u64;
        if self.stored > 0 && (self.stored > MOST_STORED_BYTES || !self.readers.iter().flatten().any(unread))
        {
            self.frames.drain(..self.stored);
            self.gone += self.stored as u64;
            (self.stored, self.gone_last) = (0, self.stored_last);
        }
    }

    fn wake(&mut self) {
        for reader in self.readers.iter_mut().flatten() {
            if let Some(waker) = reader.waker.take() {
                waker.wake();
            }
        }
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("EventLog")
            .field("last", &inner.last)
            .field("bytes", &inner.frames.len())
            .field("readers", &inner.readers.iter().flatten().count())
            .field("end", &inner.end)
            .finish_non_exhaustive()
    }
}

/// What a reader of the log finds.
pub(crate) enum Found {
    /// All frames that it had not read, and the number of the last.
    Frames(Bytes, u64),
    /// It was too slow: what it has not read is in the store only.
    TooLate,
    /// It has read all, and nothing more comes.
    Nothing(End),
}

/// One who reads along.
#[derive(Debug)]
pub(crate) struct Tail {
    log: Arc<EventLog>,
    seat: usize,
    begin: u64,
}

impl Tail {
    /// The event behind which it began to read.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    /// Need not be woken for now: the reader is at work, and looks afterwards.
    pub(crate) fn hush(&mut self) {
        if let Some(Some(reader)) = self.log.0.lock().readers.get_mut(self.seat) {
            reader.waker = None;
        }
    }

    /// What has come since the last call.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Found> {
        let mut inner = self.log.0.lock();
        let inner = &mut *inner;
        let end_place = inner.gone + inner.frames.len() as u64;
        let Some(Some(reader)) = inner.readers.get_mut(self.seat) else { return Poll::Ready(Found::TooLate) };
        if reader.place < inner.gone {
            return Poll::Ready(Found::TooLate);
        }
        if reader.place < end_place {
            let unread = usize::try_from(reader.place - inner.gone).unwrap_or_default();
            let frames = Bytes::copy_from_slice(&inner.frames[unread..]);
            reader.place = end_place;
            inner.let_go();
            return Poll::Ready(Found::Frames(frames, inner.last));
        }
        if let Some(end) = inner.end {
            return Poll::Ready(Found::Nothing(end));
        }
        match &mut reader.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => reader.waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let mut inner = self.log.0.lock();
        if let Some(reader) = inner.readers.get_mut(self.seat) {
            *reader = None;
        }
        inner.let_go();
    }
}
