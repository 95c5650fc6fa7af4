// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError, ReplyStream, rows::rows};

/// What [`Client::files`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of files.
    pub fn files(&self) -> Files<'_> {
        Files(self)
    }
}

impl Files<'_> {
    /// Lists files.
    ///
    /// `GET /files`
    pub async fn list(
        self,
        query: impl Into<types::ListFilesQuery>,
    ) -> Result<types::Page<types::File>, ClientError> {
        self.0.call::<endpoint::ListFiles>((), query.into(), ()).await
    }

    /// All rows of [`list`](Self::list), page after page; `limit` is that of a page.
    pub fn all(self, query: impl Into<types::ListFilesQuery>) -> ReplyStream<types::File> {
        rows::<endpoint::ListFiles, _>(self.0, (), query.into())
    }

    /// Gets a file.
    ///
    /// `GET /files/{file_id}`
    pub async fn get(self, file_id: impl Into<types::FileId>) -> Result<types::File, ClientError> {
        let path = (file_id.into(),);
        self.0.call::<endpoint::GetFile>(path, (), ()).await
    }

    /// Deletes a file, also from every vector store.
    ///
    /// `DELETE /files/{file_id}`
    pub async fn delete(
        self,
        file_id: impl Into<types::FileId>,
    ) -> Result<types::Deleted<types::FileId>, ClientError> {
        let path = (file_id.into(),);
        self.0.call::<endpoint::DeleteFile>(path, (), ()).await
    }
}
