// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::assistants`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Assistants<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of assistants.
    pub fn assistants(&self) -> Assistants<'_> {
        Assistants(self)
    }
}

impl Assistants<'_> {
    /// Lists assistants.
    ///
    /// `GET /assistants`
    pub async fn list(
        self,
        query: impl Into<types::ListQuery>,
    ) -> Result<types::Page<types::Assistant>, ClientError> {
        self.0.call::<endpoint::ListAssistants>((), query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(self, query: impl Into<types::ListQuery>) -> ReplyStream<types::Assistant> {
        rows::<endpoint::ListAssistants, _>(self.0, (), query.into())
    }

    /// Makes an assistant.
    ///
    /// `POST /assistants`
    pub async fn create(self, body: types::CreateAssistant) -> Result<types::Assistant, ClientError> {
        self.0.call::<endpoint::CreateAssistant>((), (), body).await
    }

    /// Gets an assistant.
    ///
    /// `GET /assistants/{assistant_id}`
    pub async fn get(
        self,
        assistant_id: impl Into<types::AssistantId>,
    ) -> Result<types::Assistant, ClientError> {
        let path = (assistant_id.into(),);
        self.0.call::<endpoint::GetAssistant>(path, (), ()).await
    }

    /// Changes the given fields of an assistant.
    ///
    /// `POST /assistants/{assistant_id}`
    pub async fn modify(
        self,
        assistant_id: impl Into<types::AssistantId>,
        body: types::ModifyAssistant,
    ) -> Result<types::Assistant, ClientError> {
        let path = (assistant_id.into(),);
        self.0.call::<endpoint::ModifyAssistant>(path, (), body).await
    }

    /// Deletes an assistant. Its threads and runs stay.
    ///
    /// `DELETE /assistants/{assistant_id}`
    pub async fn delete(
        self,
        assistant_id: impl Into<types::AssistantId>,
    ) -> Result<types::Deleted<types::AssistantId>, ClientError> {
        let path = (assistant_id.into(),);
        self.0.call::<endpoint::DeleteAssistant>(path, (), ()).await
    }
}
