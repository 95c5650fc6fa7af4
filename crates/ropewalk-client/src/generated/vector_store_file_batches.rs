// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::vector_store_file_batches`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct VectorStoreFileBatches<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of vector store file batches.
    pub fn vector_store_file_batches(&self) -> VectorStoreFileBatches<'_> {
        VectorStoreFileBatches(self)
    }
}

impl VectorStoreFileBatches<'_> {
    /// Puts several files into a vector store.
    ///
    /// `POST /vector_stores/{vector_store_id}/file_batches`
    pub async fn create(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        body: types::CreateVectorStoreFileBatch,
    ) -> Result<types::VectorStoreFileBatch, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::CreateVectorStoreFileBatch>(path, (), body).await
    }

    /// Gets a batch of files.
    ///
    /// `GET /vector_stores/{vector_store_id}/file_batches/{batch_id}`
    pub async fn get(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        batch_id: impl Into<types::VectorStoreFileBatchId>,
    ) -> Result<types::VectorStoreFileBatch, ClientError> {
        let path = (vector_store_id.into(), batch_id.into());
        self.0.call::<endpoint::GetVectorStoreFileBatch>(path, (), ()).await
    }

    /// Gives up what is left of a batch.
    ///
    /// `POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel`
    pub async fn cancel(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        batch_id: impl Into<types::VectorStoreFileBatchId>,
    ) -> Result<types::VectorStoreFileBatch, ClientError> {
        let path = (vector_store_id.into(), batch_id.into());
        self.0.call::<endpoint::CancelVectorStoreFileBatch>(path, (), ()).await
    }

    /// Lists the files of a batch.
    ///
    /// `GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files`
    pub async fn list_files(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        batch_id: impl Into<types::VectorStoreFileBatchId>,
        query: impl Into<types::ListVectorStoreFilesQuery>,
    ) -> Result<types::Page<types::VectorStoreFile>, ClientError> {
        let path = (vector_store_id.into(), batch_id.into());
        self.0.call::<endpoint::ListVectorStoreFileBatchFiles>(path, query.into(), ()).await
    }

    /// All rows of [`list_files`](Self::list_files), page after page; `limit` is that of a page.
    pub fn all(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        batch_id: impl Into<types::VectorStoreFileBatchId>,
        query: impl Into<types::ListVectorStoreFilesQuery>,
    ) -> ReplyStream<types::VectorStoreFile> {
        let path = (vector_store_id.into(), batch_id.into());
        rows::<endpoint::ListVectorStoreFileBatchFiles, _>(self.0, path, query.into())
    }
}
