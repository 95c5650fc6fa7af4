// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::chat_completion_messages`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct ChatCompletionMessages<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of chat completion messages.
    pub fn chat_completion_messages(&self) -> ChatCompletionMessages<'_> {
        ChatCompletionMessages(self)
    }
}

impl ChatCompletionMessages<'_> {
    /// Lists the messages that a kept answer was given to.
    ///
    /// `GET /chat/completions/{completion_id}/messages`
    pub async fn list(
        self,
        completion_id: impl Into<types::ChatCompletionId>,
        query: impl Into<types::ListChatCompletionMessagesQuery>,
    ) -> Result<types::Page<types::ChatCompletionMessage>, ClientError> {
        let path = (completion_id.into(),);
        self.0.call::<endpoint::ListChatCompletionMessages>(path, query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        completion_id: impl Into<types::ChatCompletionId>,
        query: impl Into<types::ListChatCompletionMessagesQuery>,
    ) -> ReplyStream<types::ChatCompletionMessage> {
        let path = (completion_id.into(),);
        rows::<endpoint::ListChatCompletionMessages, _>(self.0, path, query.into())
    }
}
