use std::{
    fmt::{self, Debug},
    pin::Pin,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderValue;
use ropewalk_types::ModelId;

use crate::{ModelError, ModelEvent, ModelRequest, spoken};

/// The answer of a model while it is written. No channel, no task: whoever polls it drives it.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// The bytes of a reply as they come, in pieces of what a socket gives at once. An error is the last item.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, ModelError>> + Send>>;

/// A reply that is handed on as it comes.
pub struct PassedThrough {
    /// What it says it is: `application/json`, `text/event-stream`; `None` if it says nothing.
    pub content_type: Option<HeaderValue>,
    /// Its bytes. Whoever polls them drives the reply; dropping them ends the work.
    pub body: ByteStream,
}

impl Debug for PassedThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassedThrough").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

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

    /// Hands `request`, the JSON body of `POST /chat/completions`, to the model as it is, and its reply back as it
    /// comes: one `chat.completion`, or events with a `chat.completion.chunk` each and `[DONE]` at their end.
    ///
    /// A model that is no host of its own need not write this: it answers with what [`stream`](Self::stream) says.
    ///
    /// # Errors
    ///
    /// Whatever fails before the reply begins, replies that are no success included; what the host said of a bad
    /// request is in [`ModelError::upstream_error`]. A failure that comes later is an item of the body.
    async fn pass_through(&self, request: Bytes) -> Result<PassedThrough, ModelError> {
        spoken::answer(self, &request).await
    }

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
