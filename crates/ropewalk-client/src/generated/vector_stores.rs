// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::vector_stores`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct VectorStores<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of vector stores.
    pub fn vector_stores(&self) -> VectorStores<'_> {
        VectorStores(self)
    }
}

impl VectorStores<'_> {
    /// Lists vector stores.
    ///
    /// `GET /vector_stores`
    pub async fn list(
        self,
        query: impl Into<types::ListQuery>,
    ) -> Result<types::Page<types::VectorStore>, ClientError> {
        self.0.call::<endpoint::ListVectorStores>((), query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(self, query: impl Into<types::ListQuery>) -> ReplyStream<types::VectorStore> {
        rows::<endpoint::ListVectorStores, _>(self.0, (), query.into())
    }

    /// Makes a vector store.
    ///
    /// `POST /vector_stores`
    pub async fn create(self, body: types::CreateVectorStore) -> Result<types::VectorStore, ClientError> {
        self.0.call::<endpoint::CreateVectorStore>((), (), body).await
    }

    /// Gets a vector store.
    ///
    /// `GET /vector_stores/{vector_store_id}`
    pub async fn get(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
    ) -> Result<types::VectorStore, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::GetVectorStore>(path, (), ()).await
    }

    /// Changes the given fields of a vector store.
    ///
    /// `POST /vector_stores/{vector_store_id}`
    pub async fn modify(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        body: types::ModifyVectorStore,
    ) -> Result<types::VectorStore, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::ModifyVectorStore>(path, (), body).await
    }

    /// Deletes a vector store. The files themselves stay.
    ///
    /// `DELETE /vector_stores/{vector_store_id}`
    pub async fn delete(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
    ) -> Result<types::Deleted<types::VectorStoreId>, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::DeleteVectorStore>(path, (), ()).await
    }

    /// Searches a vector store.
    ///
    /// `POST /vector_stores/{vector_store_id}/search`
    pub async fn search(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        body: types::SearchVectorStore,
    ) -> Result<types::SearchResultsPage, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::SearchVectorStore>(path, (), body).await
    }
}
