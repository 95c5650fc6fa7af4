//! Files: made by [`Incoming`](crate::Incoming), read, deleted.

use ropewalk_store::{Batch, BlobReader, Document, Kind, ListRequest, Scope, StoreError};
use ropewalk_types::{
    Assistant, File, FileExpiry, FileId, FilePurpose, Thread, ToolResources, UnixSeconds, VectorStoreId,
};

use crate::{FileError, Library, record, tally, worker::LEASE};

/// The types that file_search and code_interpreter know (contract: BEHAVIOUR 13).
pub const EXTENSIONS: [&str; 33] = [
    "c", "cpp", "cs", "css", "csv", "doc", "docx", "gif", "go", "html", "java", "jpeg", "jpg", "js", "json",
    "md", "pdf", "php", "pkl", "png", "pptx", "py", "rb", "sh", "tar", "tex", "ts", "txt", "webp", "xlsx",
    "xls", "xml", "zip",
];

impl Library {
    /// A file as it is stored: its body is the wire form.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFile`], [`FileError::Store`].
    pub async fn file(&self, scope: &Scope, id: &FileId) -> Result<Document, FileError> {
        let document = scope.get(Kind::File, id.as_str()).await?;
        document.ok_or_else(|| FileError::NoFile(id.clone()))
    }

    /// The bytes of a file, and what is known of it, whatever its purpose.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFile`], [`FileError::Store`].
    pub async fn read(&self, scope: &Scope, id: &FileId) -> Result<(File, BlobReader), FileError> {
        let file: File = self.file(scope, id).await?.decode()?;
        let reader = self.0.blobs.read(scope.organization(), id.as_str(), ..).await?;
        Ok((file, reader))
    }

    /// The bytes of a file that its owner may download.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFile`], [`FileError::NotDownloadable`], [`FileError::Store`].
    pub async fn download(&self, scope: &Scope, id: &FileId) -> Result<(File, BlobReader), FileError> {
        let file: File = self.file(scope, id).await?.decode()?;
        if !file.purpose.is_downloadable() {
            return Err(FileError::NotDownloadable(file.purpose.as_str().to_owned()));
        }
        self.read(scope, id).await
    }

    /// Deletes a file, its places in vector stores, and its mention in assistants and threads.
    ///
    /// From the first commit on nobody can use it anew. What is left to do then is a row of its own: if this process dies, or
    /// the store fails, a worker does it.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFile`], [`FileError::Store`]. The file is still there then.
    pub async fn delete_file(&self, scope: &Scope, id: &FileId) -> Result<(), FileError> {
        let document = self.file(scope, id).await?;
        let file: File = document.decode()?;
        let bytes = i64::try_from(file.bytes).unwrap_or(i64::MAX);
        let batch = Batch::new().delete(Kind::File, id.as_str());
        let batch = batch.put(record::put_deleted_file(id, self.later(LEASE)));
        match scope.commit(batch.add(tally::FILE_BYTES, -bytes)).await {
            Err(StoreError::Missing { .. }) => return Err(FileError::NoFile(id.clone())),
            done => done?,
        }
        if let Err(error) = self.forget_deleted(scope, id).await {
            tracing::warn!(file = %id, error = &error as &dyn std::error::Error, "deleted, and not forgotten yet");
        }
        Ok(())
    }

    /// Takes a deleted file out of all that used it, then forgets that it ever was.
    pub(crate) async fn forget_deleted(&self, scope: &Scope, id: &FileId) -> Result<(), FileError> {
        let mut request = ListRequest::new(Kind::FileUse).parent(id.as_str()).limit(100);
        loop {
            let page = scope.list(&request).await?;
            for document in &page.documents {
                self.forget_file(scope, &document.decode::<String>()?, id).await?;
            }
            match page.documents.last() {
                Some(last) if page.has_more => request.after = Some(last.id.clone()),
                _ => break,
            }
        }
        self.drop_blob(scope, id.as_str()).await;
        match scope.commit(Batch::new().delete_tree(Kind::DeletedFile, id.as_str())).await {
            Err(StoreError::Missing { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Takes a file out of one object that uses it. An object that is gone by now needs nothing.
    async fn forget_file(&self, scope: &Scope, object: &str, file: &FileId) -> Result<(), FileError> {
        let gone = || FileError::NoFile(file.clone());
        let without = |resources: &mut Option<ToolResources>| {
            let interpreter = resources.as_mut().and_then(|resources| resources.code_interpreter.as_mut());
            if let Some(interpreter) = interpreter {
                interpreter.file_ids.retain(|id| id != file);
            }
        };
        let forgotten = if object.starts_with("vs_") {
            self.remove_from_store(scope, &VectorStoreId::new(object), file).await
        } else if object.starts_with("thread_") {
            let edit = |thread: &mut Thread, document: &Document| {
                without(&mut thread.tool_resources);
                Ok((same_place(document, record::wire(thread)), Batch::new()))
            };
            self.change(scope, (Kind::Thread, object), gone, edit).await.map(drop)
        } else {
            let edit = |assistant: &mut Assistant, document: &Document| {
                without(&mut assistant.tool_resources);
                Ok((same_place(document, record::wire(assistant)), Batch::new()))
            };
            self.change(scope, (Kind::Assistant, object), gone, edit).await.map(drop)
        };
        match forgotten {
            Err(FileError::NoFile(_) | FileError::NoVectorStore(_) | FileError::NotInStore { .. }) => Ok(()),
            done => done,
        }
    }

    pub(crate) async fn store_file(&self, scope: &Scope, file: &File, batch: Batch) -> Result<(), FileError> {
        let mut batch = record::add_file(batch, file);
        if let Some(limit) = self.0.options.max_total_bytes {
            batch = batch.require_at_most(tally::FILE_BYTES, i64::try_from(limit).unwrap_or(i64::MAX));
        }
        match scope.commit(batch).await {
            Err(StoreError::OverLimit { .. }) => Err(FileError::Quota),
            done => Ok(done?),
        }
    }

    /// When a file for this purpose expires: as asked, or batch files after 30 days (contract: BEHAVIOUR 13).
    pub(crate) fn expiry(&self, purpose: &FilePurpose, asked: Option<FileExpiry>) -> Option<UnixSeconds> {
        let default = (*purpose == FilePurpose::Batch).then_some(30 * 24 * 3600);
        asked.map(|expiry| expiry.seconds).or(default).map(|seconds| self.now().plus(seconds))
    }

    pub(crate) fn check_extension(&self, filename: &str, purpose: &FilePurpose) -> Result<(), FileError> {
        let Some((_, extension)) = filename.rsplit_once('.') else { return Ok(()) };
        let extension = extension.to_ascii_lowercase();
        if *purpose != FilePurpose::Assistants || EXTENSIONS.contains(&extension.as_str()) {
            Ok(())
        } else {
            Err(FileError::Extension(extension))
        }
    }

    pub(crate) async fn check_quota(&self, scope: &Scope, bytes: u64) -> Result<(), FileError> {
        let Some(limit) = self.0.options.max_total_bytes else { return Ok(()) };
        let held = u64::try_from(scope.counter(tally::FILE_BYTES).await?).unwrap_or_default();
        if held.saturating_add(bytes) > limit { Err(FileError::Quota) } else { Ok(()) }
    }

    /// Deletes bytes that no object names any more. What cannot be deleted costs room and nothing else.
    pub(crate) async fn drop_blob(&self, scope: &Scope, id: &str) {
        if let Err(error) = self.0.blobs.delete(scope.organization(), id).await {
            tracing::warn!(id, error = &error as &dyn std::error::Error, "bytes could not be deleted");
        }
    }
}

/// The document with another body.
fn same_place(document: &Document, body: bytes::Bytes) -> ropewalk_store::Put {
    let put = ropewalk_store::Put::new(document.kind, document.id.as_str(), document.created_at, body);
    match &document.state {
        Some(state) => put.state(state.clone()),
        None => put,
    }
}
