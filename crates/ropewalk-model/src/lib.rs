#![doc = include_str!("../README.md")]

mod call_meter;
mod chat_completions;
mod error;
mod event;
mod model;
mod request;
mod scripted;
mod spoken;

pub use call_meter::{CallMeter, describe_metrics};
pub use chat_completions::{ChatCompletions, ChatCompletionsBuilder};
pub use error::{ModelError, ModelErrorKind};
pub use event::{FinishReason, ModelEvent, ToolCallPart};
#[cfg(feature = "testing")]
pub use model::MockModel;
pub use model::{ByteStream, Model, ModelStream, PassedThrough};
pub use request::{ChatMessage, ChatPart, ModelRequest};
pub use scripted::{ScriptedModel, Turn};
