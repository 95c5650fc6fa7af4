//! The events of a run as the store keeps them, so that whoever comes later can read them all.
//!
//! Events are numbered from 1 within their run. They lie in chunks, each stored by the commit that makes true what its
//! last events tell; deltas lie in the chunk of what they lead to, or in one of their own when they get many. A chunk's
//! bytes are what readers are sent: SSE frames, each with its number as `id`.

use bytes::Bytes;
use memchr::{memchr, memmem};
use ropewalk_events::{Decoder, Event, Snapshot};
use ropewalk_store::{Batch, Expect, Kind, ListFilter, ListRequest, Put, Scope, StoreError};
use ropewalk_types::{Order, RunId};

/// Events that may be told without being stored: deltas. If a process dies, the next one leaves as many numbers out, so
/// that none is ever used twice.
pub(crate) const MOST_UNSTORED: u64 = 256;
/// Most bytes of a chunk: beyond all that one commit tells of.
const MOST_BYTES: usize = 1 << 30;

/// Encoded events that nobody was told yet.
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    /// The number of the last of them, or of the one before if there are none.
    pub(crate) last: u64,
}

impl Draft {
    /// `events`, numbered from behind `number` on. Whether they are whole, with what is sent only to those who ask
    /// for it, is up to `whole`.
    pub(crate) fn new(number: u64, events: &[Event], whole: bool) -> Self {
        let mut draft = Self { bytes: Vec::new(), last: number };
        draft.last = encode(&mut draft.bytes, number, events, whole);
        draft
    }
}

/// Appends `events`, numbered from behind `number` on; gives the number of the last.
pub(crate) fn encode(out: &mut Vec<u8>, mut number: u64, events: &[Event], whole: bool) -> u64 {
    for event in events {
        number += 1;
        let stripped = if whole { None } else { stripped(event) };
        stripped.as_ref().unwrap_or(event).encode(out, Some(number));
    }
    number
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

/// Adds the frames in `parts` to a commit as one chunk, unless there are none; `last` is the number of the last.
///
/// Nobody else writes the chunk of this number, so a commit whose answer was lost can be [recognised](stored) by it.
pub(crate) fn store(batch: Batch, run: &RunId, parts: &[&[u8]], last: u64) -> Batch {
    let bytes = parts.concat();
    if bytes.is_empty() {
        return batch;
    }
    let body = lz4_flex::compress_prepend_size(&bytes);
    // Lists are ordered by this, so a chunk is found by the number of its last event.
    let put = Put::new(Kind::RunEvents, id(run, last), position(last), body);
    batch.put(put.parent(run.as_str()).expect(Expect::Absent))
}

/// Whether the chunk that ends with `last` is stored.
pub(crate) async fn stored(scope: &Scope, run: &RunId, last: u64) -> Result<bool, StoreError> {
    Ok(scope.get(Kind::RunEvents, &id(run, last)).await?.is_some())
}

/// The number of the last event that is stored; 0 if there is none.
pub(crate) async fn last(scope: &Scope, run: &RunId) -> Result<u64, StoreError> {
    let newest = ListRequest::new(Kind::RunEvents).parent(run.as_str()).limit(1);
    let found = scope.list(&newest).await?.documents.pop();
    Ok(found.map_or(0, |chunk| number(chunk.created_at)))
}

/// The frames of the next chunk behind event `after`, and the number of its last; `None` if no later event is stored.
pub(crate) async fn read(scope: &Scope, run: &RunId, after: u64) -> Result<Option<(Bytes, u64)>, StoreError> {
    let Some(from) = after.checked_add(1) else { return Ok(None) };
    let next = ListRequest::new(Kind::RunEvents)
        .parent(run.as_str())
        .order(Order::Asc)
        .filter(ListFilter::CreatedFrom(position(from)))
        .limit(1);
    let Some(chunk) = scope.list(&next).await?.documents.pop() else { return Ok(None) };
    let corrupt = |reason: &str| StoreError::Corrupt {
        kind: Kind::RunEvents,
        id: chunk.id.clone(),
        source: reason.into(),
    };
    let (size, frames) =
        lz4_flex::block::uncompressed_size(&chunk.body).map_err(|_| corrupt("its length is missing"))?;
    if size > MOST_BYTES {
        return Err(corrupt("it says that it is longer than it can be"));
    }
    let frames =
        lz4_flex::block::decompress(frames, size).map_err(|_| corrupt("it cannot be decompressed"))?;
    let frames = Bytes::from(frames);
    let begin = behind(&frames, after);
    Ok(Some((frames.slice(begin..), number(chunk.created_at))))
}

/// The objects of a run, summed up from all its events that are stored.
pub(crate) async fn sum(scope: &Scope, run: &RunId) -> Result<Snapshot, StoreError> {
    let (mut snapshot, mut after) = (Snapshot::new(), 0);
    while let Some((frames, number)) = read(scope, run, after).await? {
        let mut decoder = Decoder::with_limit(frames.len());
        decoder.push(frames);
        while let Ok(Some(frame)) = decoder.next_frame() {
            // What this release cannot read adds nothing.
            let _unread = Event::from_frame(&frame).map(|event| snapshot.apply(&event));
        }
        after = number;
    }
    Ok(snapshot)
}

/// Where the first frame begins whose number is above `after`.
pub(crate) fn behind(frames: &[u8], after: u64) -> usize {
    let mut at = 0;
    while at < frames.len() {
        let frame = &frames[at..];
        // The encoder writes the name, then the number, then the data.
        let id = memchr(b'\n', frame).and_then(|end| frame[end + 1..].strip_prefix(b"id: "));
        let id = id.map(|id| &id[..memchr(b'\n', id).unwrap_or(id.len())]);
        let number = id.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        if number.is_none_or(|number: u64| number > after) {
            return at;
        }
        at += memmem::find(frame, b"\n\n").map_or(frame.len(), |end| end + 2);
    }
    at
}

fn id(run: &RunId, last: u64) -> String {
    format!("{run}/{last}")
}

fn position(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(position: i64) -> u64 {
    u64::try_from(position).unwrap_or_default()
}
