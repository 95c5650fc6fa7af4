use bytes::Bytes;
use ropewalk_store::{Batch, BlobWriter, Expect, Kind, Scope, StoreError};
use ropewalk_types::{File, FileExpiry, FileId, FilePurpose, UploadId, UploadPart, UploadPartId};

use crate::{
    FileError, Library,
    record::{self, PartState},
};

/// Bytes on their way into a file or a part. Dropped unfinished, nothing remains of them.
#[derive(Debug)]
pub struct Incoming<I> {
    library: Library,
    scope: Scope,
    id: I,
    writer: BlobWriter,
    bytes: u64,
    limit: u64,
}

impl Library {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Store`] if there is no room or the disk fails.
    pub async fn add_file(&self, scope: &Scope) -> Result<Incoming<FileId>, FileError> {
        let id: FileId = self.mint();
        let writer = self.0.blobs.write(scope.organization(), id.as_str()).await?;
        let limit = self.0.options.max_file_bytes;
        Ok(Incoming { library: self.clone(), scope: scope.clone(), id, writer, bytes: 0, limit })
    }

    /// Begins a part of an upload.
    ///
    /// # Errors
    ///
    /// [`FileError::NoUpload`], [`FileError::UploadOver`], [`FileError::Store`].
    pub async fn add_part(
        &self,
        scope: &Scope,
        upload: &UploadId,
    ) -> Result<Incoming<UploadPartId>, FileError> {
        self.pending_upload(scope, upload).await?;
        let id: UploadPartId = self.mint();
        let writer = self.0.blobs.write(scope.organization(), id.as_str()).await?;
        let limit = self.0.options.max_part_bytes;
        Ok(Incoming { library: self.clone(), scope: scope.clone(), id, writer, bytes: 0, limit })
    }
}

impl<I> Incoming<I> {
    /// Takes more bytes.
    ///
    /// # Errors
    ///
    /// [`FileError::TooLarge`], [`FileError::Store`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), FileError> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limit {
            return Err(FileError::TooLarge { limit: self.limit });
        }
        Ok(self.writer.write(bytes).await?)
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Incoming<FileId> {
    /// Makes the file.
    ///
    /// # Errors
    ///
    /// [`FileError::Extension`], [`FileError::Quota`], [`FileError::Store`]; nothing remains then.
    pub async fn finish(
        self,
        filename: &str,
        purpose: FilePurpose,
        expiry: Option<FileExpiry>,
    ) -> Result<File, FileError> {
        self.library.check_extension(filename, &purpose)?;
        let now = self.library.now();
        let mut file = File::new(self.id, now, filename, purpose, self.bytes);
        file.expires_at = self.library.expiry(&file.purpose, expiry);
        self.writer.finish().await?;
        let stored = self.library.store_file(&self.scope, &file, Batch::new()).await;
        if stored.is_err() {
            self.library.drop_blob(&self.scope, file.id.as_str()).await;
        }
        stored.map(|()| file)
    }
}

impl Incoming<UploadPartId> {
    /// Makes the part.
    ///
    /// # Errors
    ///
    /// [`FileError::Parts`] if it is empty or the upload would become larger than declared,
    /// [`FileError::UploadOver`], [`FileError::Store`]; nothing remains then.
    pub async fn finish(self, upload: &UploadId) -> Result<UploadPart, FileError> {
        if self.bytes == 0 {
            return Err(FileError::Parts("the part is empty".to_owned()));
        }
        let (library, scope) = (&self.library, &self.scope);
        let (declared, document) = library.pending_upload(scope, upload).await?;
        let part = UploadPart::new(self.id, upload.clone(), library.now());
        self.writer.finish().await?;
        let put = record::put_part(&part, PartState { bytes: self.bytes }).expect(Expect::Absent);
        let held = format!("{upload}/bytes");
        let batch = Batch::new()
            .require_version(Kind::Upload, upload.as_str(), document.version)
            .put(put)
            .add(&*held, i64::try_from(self.bytes).unwrap_or(i64::MAX))
            .require_at_most(held, i64::try_from(declared.bytes).unwrap_or(i64::MAX));
        let stored = scope.commit(batch).await;
        if stored.is_err() {
            library.drop_blob(scope, part.id.as_str()).await;
        }
        match stored {
            Ok(()) => Ok(part),
            Err(StoreError::OverLimit { .. }) => {
                let message = format!("they would have more than the {} bytes declared", declared.bytes);
                Err(FileError::Parts(message))
            }
            Err(error) if error.is_overtaken() => {
                Err(library.over_now(scope, upload).await.unwrap_or(FileError::Store(error)))
            }
            Err(error) => Err(error.into()),
        }
    }
}
