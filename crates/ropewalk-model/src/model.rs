use std::{fmt::Debug, pin::Pin};

use async_trait::async_trait;
use futures_core::Stream;
use ropewalk_types::ModelId;

use crate::{ModelError, ModelEvent, ModelRequest};

/// The answer of a model while it is written. No channel, no task: whoever polls it drives it.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// A language model, or what stands in for one.
///
/// # Contract
///
/// - **It ends plainly:** the last item of a stream is [`ModelEvent::Finish`] or an error, and nothing follows it.
///   An answer that breaks off is an error of the kind `Interrupted`, never a silent end.
/// - **Usage comes once,** right before the finish, if the model tells it at all.
/// - **Tool calls are dense:** their indexes count from 0 in order of appearance. The id and the name of a call come
///   once, as early as they are known; the arguments of all its parts are one text.
/// - **It has no hidden life:** dropping the stream, or the future that makes it, ends the work.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Model: Debug + Send + Sync + 'static {
    /// Starts one completion; the stream is polled inside the caller's own task.
    ///
    /// # Errors
    ///
    /// Whatever fails before the first event. A failure that comes later is an item of the stream.
    async fn stream(&self, request: &ModelRequest) -> Result<ModelStream, ModelError>;

    /// All models that can be asked for.
    ///
    /// # Errors
    ///
    /// Those of the place where the models live.
    async fn models(&self) -> Result<Vec<ropewalk_types::Model>, ModelError>;

    /// One model; `None` if it cannot be asked for.
    ///
    /// # Errors
    ///
    /// As for [`models`](Self::models).
    async fn model(&self, id: &ModelId) -> Result<Option<ropewalk_types::Model>, ModelError>;
}
