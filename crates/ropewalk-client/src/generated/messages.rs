// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::messages`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of messages.
    pub fn messages(&self) -> Messages<'_> {
        Messages(self)
    }
}

impl Messages<'_> {
    /// Lists the messages of a thread.
    ///
    /// `GET /threads/{thread_id}/messages`
    pub async fn list(
        self,
        thread_id: impl Into<types::ThreadId>,
        query: impl Into<types::ListMessagesQuery>,
    ) -> Result<types::Page<types::Message>, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::ListMessages>(path, query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        thread_id: impl Into<types::ThreadId>,
        query: impl Into<types::ListMessagesQuery>,
    ) -> ReplyStream<types::Message> {
        let path = (thread_id.into(),);
        rows::<endpoint::ListMessages, _>(self.0, path, query.into())
    }

    /// Adds a message to a thread.
    ///
    /// `POST /threads/{thread_id}/messages`
    pub async fn create(
        self,
        thread_id: impl Into<types::ThreadId>,
        body: types::CreateMessage,
    ) -> Result<types::Message, ClientError> {
        let path = (thread_id.into(),);
        self.0.call::<endpoint::CreateMessage>(path, (), body).await
    }

    /// Gets a message.
    ///
    /// `GET /threads/{thread_id}/messages/{message_id}`
    pub async fn get(
        self,
        thread_id: impl Into<types::ThreadId>,
        message_id: impl Into<types::MessageId>,
    ) -> Result<types::Message, ClientError> {
        let path = (thread_id.into(), message_id.into());
        self.0.call::<endpoint::GetMessage>(path, (), ()).await
    }

    /// Changes the notes on a message.
    ///
    /// `POST /threads/{thread_id}/messages/{message_id}`
    pub async fn modify(
        self,
        thread_id: impl Into<types::ThreadId>,
        message_id: impl Into<types::MessageId>,
        body: types::ModifyMessage,
    ) -> Result<types::Message, ClientError> {
        let path = (thread_id.into(), message_id.into());
        self.0.call::<endpoint::ModifyMessage>(path, (), body).await
    }

    /// Deletes a message.
    ///
    /// `DELETE /threads/{thread_id}/messages/{message_id}`
    pub async fn delete(
        self,
        thread_id: impl Into<types::ThreadId>,
        message_id: impl Into<types::MessageId>,
    ) -> Result<types::Deleted<types::MessageId>, ClientError> {
        let path = (thread_id.into(), message_id.into());
        self.0.call::<endpoint::DeleteMessage>(path, (), ()).await
    }
}
