use std::error::Error;

use ropewalk_types::{MessageId, RunStepId};

/// A frame is longer than the decoder allows; the stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame of the event stream is over {max_frame_bytes} bytes")]
#[non_exhaustive]
pub struct DecodeError {
    /// The limit.
    pub max_frame_bytes: usize,
}

/// A known event has a body that does not fit it. The frames behind it can still be read.
#[derive(Debug, thiserror::Error)]
#[error("the body of event `{event}` does not fit it")]
#[non_exhaustive]
pub struct EventError {
    /// The event's name.
    pub event: &'static str,
    /// Where the body is wrong.
    pub source: serde_json::Error,
}

/// A delta that cannot be added to what came before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// No event has brought this message yet.
    #[error("a delta goes to message `{0}`, which was never created")]
    NoMessage(MessageId),
    /// No event has brought this step yet.
    #[error("a delta goes to run step `{0}`, which was never created")]
    NoStep(RunStepId),
    /// A step that wrote a message is sent tool calls.
    #[error("a delta brings tool calls to run step `{0}`, which has none")]
    NoToolCalls(RunStepId),
    /// An entry of a list does not say where it goes.
    #[error("a delta brings a list entry without an index")]
    NoIndex,
    /// A list would grow too long, or have too many holes.
    #[error("a delta brings a list entry with the index {0}, which is out of bounds")]
    Index(u64),
}

/// Why a stream of frames or events broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError<E: Error + 'static> {
    /// The bytes stopped coming. What came before is whole: resume behind the last event id.
    #[error("the byte stream broke")]
    Bytes(#[source] E),
    /// The bytes cannot be read on.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// One event cannot be read; the stream goes on behind it.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The events do not add up.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}
