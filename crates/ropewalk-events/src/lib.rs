#![doc = include_str!("../README.md")]

mod accumulator;
mod decoder;
mod dispatcher;
mod draft;
mod encode;
mod error;
mod event;
mod event_stream;
mod frame_stream;
mod grammar;
mod handler;
mod snapshot;
mod utf8_bytes;

pub use decoder::Decoder;
pub use dispatcher::Dispatcher;
pub use draft::Frame;
pub use encode::{encode_frame, encode_text_frame};
pub use error::{DecodeError, EventError, SnapshotError, StreamError};
pub use event::Event;
pub use event_stream::EventStream;
pub use frame_stream::FrameStream;
pub use grammar::{Grammar, IllegalEvent};
pub use handler::EventHandler;
#[cfg(feature = "testing")]
pub use handler::MockEventHandler;
pub use snapshot::Snapshot;
pub use utf8_bytes::Utf8Bytes;
