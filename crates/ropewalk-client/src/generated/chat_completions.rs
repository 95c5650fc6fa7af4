// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::chat_completions`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct ChatCompletions<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of chat completions.
    pub fn chat_completions(&self) -> ChatCompletions<'_> {
        ChatCompletions(self)
    }
}

impl ChatCompletions<'_> {
    /// Asks a model for one answer. Body and reply pass through to and from the model's host.
    ///
    /// `POST /chat/completions`
    pub async fn create(
        self,
        mut body: types::CreateChatCompletion,
    ) -> Result<types::ChatCompletion, ClientError> {
        body.stream = None;
        self.0.call::<endpoint::CreateChatCompletion>((), (), body).await
    }

    /// As [`create`](Self::create), piece by piece.
    pub async fn create_stream(
        self,
        mut body: types::CreateChatCompletion,
    ) -> Result<ReplyStream<types::ChatCompletionChunk>, ClientError> {
        body.stream = Some(true);
        self.0.chunks::<endpoint::CreateChatCompletion>((), (), body).await
    }

    /// Lists the answers that were kept.
    ///
    /// `GET /chat/completions`
    pub async fn list(
        self,
        query: impl Into<types::ListChatCompletionsQuery>,
    ) -> Result<types::Page<types::ChatCompletion>, ClientError> {
        self.0.call::<endpoint::ListChatCompletions>((), query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        query: impl Into<types::ListChatCompletionsQuery>,
    ) -> ReplyStream<types::ChatCompletion> {
        rows::<endpoint::ListChatCompletions, _>(self.0, (), query.into())
    }

    /// Gets an answer that was kept.
    ///
    /// `GET /chat/completions/{completion_id}`
    pub async fn get(
        self,
        completion_id: impl Into<types::ChatCompletionId>,
    ) -> Result<types::ChatCompletion, ClientError> {
        let path = (completion_id.into(),);
        self.0.call::<endpoint::GetChatCompletion>(path, (), ()).await
    }

    /// Replaces the notes on an answer that was kept.
    ///
    /// `POST /chat/completions/{completion_id}`
    pub async fn update(
        self,
        completion_id: impl Into<types::ChatCompletionId>,
        body: types::UpdateChatCompletion,
    ) -> Result<types::ChatCompletion, ClientError> {
        let path = (completion_id.into(),);
        self.0.call::<endpoint::UpdateChatCompletion>(path, (), body).await
    }

    /// Deletes an answer that was kept, with its messages.
    ///
    /// `DELETE /chat/completions/{completion_id}`
    pub async fn delete(
        self,
        completion_id: impl Into<types::ChatCompletionId>,
    ) -> Result<types::Deleted<types::ChatCompletionId>, ClientError> {
        let path = (completion_id.into(),);
        self.0.call::<endpoint::DeleteChatCompletion>(path, (), ()).await
    }
}
