//! Uploads: files that come in parts.

use ropewalk_store::{Batch, Document, Expect, Kind, ListRequest, Scope};
use ropewalk_types::{
    CompleteUpload, CreateUpload, File, FileId, FilePurpose, Upload, UploadId, UploadStatus,
};

use crate::{
    FileError, Library,
    record::{self, PartState, UploadState},
};

impl Library {
    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// [`FileError::Extension`], [`FileError::Quota`], [`FileError::Store`].
    pub async fn create_upload(&self, scope: &Scope, request: CreateUpload) -> Result<Upload, FileError> {
        let purpose = FilePurpose::from(request.purpose);
        self.check_extension(&request.filename, &purpose)?;
        self.check_quota(scope, request.bytes).await?;
        let now = self.now();
        let lifetime = i64::try_from(self.0.options.upload_expiry.as_secs()).unwrap_or(i64::MAX);
        let upload = Upload::new(self.mint(), now, now.plus(lifetime), &request);
        let state = UploadState {
            mime_type: request.mime_type,
            parts_dropped: false,
            expires_after: request.expires_after,
        };
        let put = record::put_upload(&upload, &state).expect(Expect::Absent);
        scope.commit(Batch::new().put(put)).await?;
        Ok(upload)
    }

    /// Makes the file out of the parts.
    ///
    /// # Errors
    ///
    /// [`FileError::NoUpload`], [`FileError::UploadOver`], [`FileError::Parts`], [`FileError::Store`].
    pub async fn complete_upload(
        &self,
        scope: &Scope,
        id: &UploadId,
        request: &CompleteUpload,
    ) -> Result<Upload, FileError> {
        let (mut upload, document) = self.pending_upload(scope, id).await?;
        let state: UploadState = document.decode_state()?.unwrap_or_default();
        self.check_parts(scope, &upload, request).await?;
        let now = self.now();
        let purpose: FilePurpose = serde_json::from_value(upload.purpose.clone().into())
            .unwrap_or_else(|_| FilePurpose::Unknown(upload.purpose.clone()));
        let mut file = File::new(self.mint::<FileId>(), now, upload.filename.clone(), purpose, upload.bytes);
        file.expires_at = self.expiry(&file.purpose, state.expires_after);

        let parts: Vec<String> = request.part_ids.iter().map(|part| part.as_str().to_owned()).collect();
        let whole = self.0.blobs.concat(scope.organization(), &parts, file.id.as_str()).await?;
        let fits = request.md5.as_ref().is_none_or(|md5| md5.eq_ignore_ascii_case(&whole.md5));
        if !fits {
            self.drop_blob(scope, file.id.as_str()).await;
            return Err(FileError::Parts("their MD5 is another than the one given".to_owned()));
        }
        upload.status = UploadStatus::Completed;
        upload.file = Some(file.clone());
        let put = record::put_upload(&upload, &state).expect(Expect::Version(document.version));
        let stored = self.store_file(scope, &file, Batch::new().put(put)).await;
        if let Err(error) = stored {
            self.drop_blob(scope, file.id.as_str()).await;
            return Err(self.over_now(scope, id).await.unwrap_or(error));
        }
        self.clear(scope, id).await;
        Ok(upload)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    ///
    /// [`FileError::NoUpload`], [`FileError::UploadOver`], [`FileError::Store`].
    pub async fn cancel_upload(&self, scope: &Scope, id: &UploadId) -> Result<Upload, FileError> {
        let upload = self.end_upload(scope, id, UploadStatus::Cancelled).await?;
        self.clear(scope, id).await;
        Ok(upload)
    }

    pub(crate) async fn end_upload(
        &self,
        scope: &Scope,
        id: &UploadId,
        status: UploadStatus,
    ) -> Result<Upload, FileError> {
        let edit = |upload: &mut Upload, document: &Document| {
            if upload.status != UploadStatus::Pending {
                return Err(FileError::UploadOver(upload.status.clone()));
            }
            upload.status = status.clone();
            let state = document.decode_state()?.unwrap_or_default();
            Ok((record::put_upload(upload, &state), Batch::new()))
        };
        self.change(scope, (Kind::Upload, id.as_str()), || FileError::NoUpload(id.clone()), edit).await
    }

    /// An upload that still takes parts.
    pub(crate) async fn pending_upload(
        &self,
        scope: &Scope,
        id: &UploadId,
    ) -> Result<(Upload, Document), FileError> {
        let document = scope.get(Kind::Upload, id.as_str()).await?;
        let document = document.ok_or_else(|| FileError::NoUpload(id.clone()))?;
        let upload: Upload = document.decode()?;
        match upload.status {
            UploadStatus::Pending if upload.expires_at <= self.now() => {
                Err(FileError::UploadOver(UploadStatus::Expired))
            }
            UploadStatus::Pending => Ok((upload, document)),
            status => Err(FileError::UploadOver(status)),
        }
    }

    /// Forgets the parts of an upload that is over. What fails is done by a worker once the upload would have expired.
    pub(crate) async fn clear(&self, scope: &Scope, id: &UploadId) {
        if let Err(error) = self.drop_parts(scope, id).await {
            tracing::warn!(upload = %id, error = &error as &dyn std::error::Error, "parts are left of it");
        }
    }

    /// Deletes the parts of an upload that is over, and notes that they are gone.
    pub(crate) async fn drop_parts(&self, scope: &Scope, upload: &UploadId) -> Result<(), FileError> {
        loop {
            let request = ListRequest::new(Kind::UploadPart).parent(upload.as_str()).limit(100);
            let parts = scope.list(&request).await?.documents;
            if parts.is_empty() {
                break;
            }
            let batch =
                parts.iter().fold(Batch::new(), |batch, part| batch.delete(part.kind, part.id.as_str()));
            scope.commit(batch).await?;
            for part in parts {
                self.drop_blob(scope, &part.id).await;
            }
        }
        let edit = |upload: &mut Upload, document: &Document| {
            let state: UploadState = document.decode_state()?.unwrap_or_default();
            let state = UploadState { parts_dropped: true, ..state };
            let counters = format!("{}/", upload.id);
            Ok((record::put_upload(upload, &state), Batch::new().drop_counters(counters)))
        };
        let missing = || FileError::NoUpload(upload.clone());
        self.change::<Upload>(scope, (Kind::Upload, upload.as_str()), missing, edit).await.map(drop)
    }

    /// The parts named are the upload's own, each once, and have the bytes declared.
    async fn check_parts(
        &self,
        scope: &Scope,
        upload: &Upload,
        request: &CompleteUpload,
    ) -> Result<(), FileError> {
        let mut bytes = 0_u64;
        for (position, id) in request.part_ids.iter().enumerate() {
            let part = scope.get(Kind::UploadPart, id.as_str()).await?;
            let part = part.filter(|part| part.parent.as_deref() == Some(upload.id.as_str()));
            let Some(part) = part.filter(|_| !request.part_ids[..position].contains(id)) else {
                return Err(FileError::Parts(format!("part `{id}` is not one of them, or is named twice")));
            };
            let state: PartState = part.decode_state()?.unwrap_or_default();
            bytes = bytes.saturating_add(state.bytes);
        }
        if bytes == upload.bytes {
            return Ok(());
        }
        Err(FileError::Parts(format!("they have {bytes} bytes, and {} were declared", upload.bytes)))
    }

    /// Why an upload that was pending a moment ago no longer is.
    pub(crate) async fn over_now(&self, scope: &Scope, id: &UploadId) -> Option<FileError> {
        self.pending_upload(scope, id).await.err()
    }
}
