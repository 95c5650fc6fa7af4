// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError};

/// What [`Client::uploads`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Uploads<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of uploads.
    pub fn uploads(&self) -> Uploads<'_> {
        Uploads(self)
    }
}

impl Uploads<'_> {
    /// Begins an upload of a file that comes in parts.
    ///
    /// `POST /uploads`
    pub async fn create(self, body: types::CreateUpload) -> Result<types::Upload, ClientError> {
        self.0.call::<endpoint::CreateUpload>((), (), body).await
    }

    /// Makes the file out of the parts.
    ///
    /// `POST /uploads/{upload_id}/complete`
    pub async fn complete(
        self,
        upload_id: impl Into<types::UploadId>,
        body: types::CompleteUpload,
    ) -> Result<types::Upload, ClientError> {
        let path = (upload_id.into(),);
        self.0.call::<endpoint::CompleteUpload>(path, (), body).await
    }

    /// Gives an upload up.
    ///
    /// `POST /uploads/{upload_id}/cancel`
    pub async fn cancel(self, upload_id: impl Into<types::UploadId>) -> Result<types::Upload, ClientError> {
        let path = (upload_id.into(),);
        self.0.call::<endpoint::CancelUpload>(path, (), ()).await
    }
}
