// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::vector_store_files`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct VectorStoreFiles<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of vector store files.
    pub fn vector_store_files(&self) -> VectorStoreFiles<'_> {
        VectorStoreFiles(self)
    }
}

impl VectorStoreFiles<'_> {
    /// Lists the files of a vector store.
    ///
    /// `GET /vector_stores/{vector_store_id}/files`
    pub async fn list(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        query: impl Into<types::ListVectorStoreFilesQuery>,
    ) -> Result<types::Page<types::VectorStoreFile>, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::ListVectorStoreFiles>(path, query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        query: impl Into<types::ListVectorStoreFilesQuery>,
    ) -> ReplyStream<types::VectorStoreFile> {
        let path = (vector_store_id.into(),);
        rows::<endpoint::ListVectorStoreFiles, _>(self.0, path, query.into())
    }

    /// Puts a file into a vector store.
    ///
    /// `POST /vector_stores/{vector_store_id}/files`
    pub async fn create(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        body: types::CreateVectorStoreFile,
    ) -> Result<types::VectorStoreFile, ClientError> {
        let path = (vector_store_id.into(),);
        self.0.call::<endpoint::CreateVectorStoreFile>(path, (), body).await
    }

    /// Gets a file of a vector store.
    ///
    /// `GET /vector_stores/{vector_store_id}/files/{file_id}`
    pub async fn get(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        file_id: impl Into<types::FileId>,
    ) -> Result<types::VectorStoreFile, ClientError> {
        let path = (vector_store_id.into(), file_id.into());
        self.0.call::<endpoint::GetVectorStoreFile>(path, (), ()).await
    }

    /// Replaces the attributes of a file in a vector store.
    ///
    /// `POST /vector_stores/{vector_store_id}/files/{file_id}`
    pub async fn modify(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        file_id: impl Into<types::FileId>,
        body: types::ModifyVectorStoreFile,
    ) -> Result<types::VectorStoreFile, ClientError> {
        let path = (vector_store_id.into(), file_id.into());
        self.0.call::<endpoint::ModifyVectorStoreFile>(path, (), body).await
    }

    /// Takes a file out of a vector store. The file itself stays.
    ///
    /// `DELETE /vector_stores/{vector_store_id}/files/{file_id}`
    pub async fn delete(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        file_id: impl Into<types::FileId>,
    ) -> Result<types::Deleted<types::FileId>, ClientError> {
        let path = (vector_store_id.into(), file_id.into());
        self.0.call::<endpoint::DeleteVectorStoreFile>(path, (), ()).await
    }

    /// Gets the text of a file as the vector store took it in.
    ///
    /// `GET /vector_stores/{vector_store_id}/files/{file_id}/content`
    pub async fn content(
        self,
        vector_store_id: impl Into<types::VectorStoreId>,
        file_id: impl Into<types::FileId>,
    ) -> Result<types::FileContentPage, ClientError> {
        let path = (vector_store_id.into(), file_id.into());
        self.0.call::<endpoint::GetVectorStoreFileContent>(path, (), ()).await
    }
}
