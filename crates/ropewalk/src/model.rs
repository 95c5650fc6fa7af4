//! What it takes to write a language model of your own: [`ropewalk-model`](ropewalk_model), by its own names.

#[cfg(feature = "testing")]
pub use ropewalk_model::MockModel;
pub use ropewalk_model::{
    ChatCompletions, ChatCompletionsBuilder, ChatMessage, ChatPart, FinishReason, Model, ModelError,
    ModelErrorKind, ModelEvent, ModelRequest, ModelStream, ScriptedModel, ToolCallPart, Turn,
};
