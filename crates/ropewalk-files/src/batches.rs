//! Batches: files that go into a vector store together.

use ropewalk_store::{Batch, Document, Expect, Kind, ListRequest, Scope, StoreError};
use ropewalk_types::{
    CreateVectorStoreFileBatch, VectorStoreFile, VectorStoreFileBatch, VectorStoreFileBatchId,
    VectorStoreFileStatus, VectorStoreId,
};

use crate::{
    FileError, Library, attach,
    record::{self, BatchState, PlaceState},
    tally,
};

impl Library {
    /// Puts several files into a vector store.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Expired`], [`FileError::NoFiles`], [`FileError::Store`].
    pub async fn create_batch(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        request: CreateVectorStoreFileBatch,
    ) -> Result<VectorStoreFileBatch, FileError> {
        let ids = request.file_ids.unwrap_or_default();
        let mut files = attach::alike(&ids, request.chunking_strategy, request.attributes.as_ref());
        files.extend(request.files.unwrap_or_default());
        let batch = VectorStoreFileBatch::new(self.mint(), store.clone(), self.now());
        let put = record::put_batch(&batch, BatchState::default()).expect(Expect::Absent);
        self.attach_now(scope, store, &files, Some(&batch.id), Batch::new().put(put)).await?;
        self.batch(scope, store, &batch.id).await
    }

    /// A batch with its counts and status as they are now.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::NoBatch`], [`FileError::Store`].
    pub async fn batch(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        id: &VectorStoreFileBatchId,
    ) -> Result<VectorStoreFileBatch, FileError> {
        let document = self.batch_document(scope, store, id).await?;
        let state: BatchState = document.decode_state()?.unwrap_or_default();
        let mut batch: VectorStoreFileBatch = document.decode()?;
        batch.file_counts = tally::read(scope, &tally::of_batch(id)).await?.counts;
        // Clients stop polling by the status or by the counts: the two must agree.
        batch.status = match batch.file_counts.in_progress {
            0 if state.cancelled => VectorStoreFileStatus::Cancelled,
            0 => VectorStoreFileStatus::Completed,
            _ => VectorStoreFileStatus::InProgress,
        };
        Ok(batch)
    }

    async fn batch_document(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        id: &VectorStoreFileBatchId,
    ) -> Result<Document, FileError> {
        let document = scope.get(Kind::VectorStoreFileBatch, id.as_str()).await?;
        if let Some(document) = document.filter(|found| found.parent.as_deref() == Some(store.as_str())) {
            return Ok(document);
        }
        match scope.get(Kind::VectorStore, store.as_str()).await? {
            None => Err(FileError::NoVectorStore(store.clone())),
            Some(_) => Err(FileError::NoBatch { store: store.clone(), batch: id.clone() }),
        }
    }

    /// Gives up what is left of a batch.
    ///
    /// # Errors
    ///
    /// As [`Library::batch`], and [`FileError::BatchOver`].
    pub async fn cancel_batch(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        id: &VectorStoreFileBatchId,
    ) -> Result<VectorStoreFileBatch, FileError> {
        let batch = self.batch(scope, store, id).await?;
        if batch.status != VectorStoreFileStatus::InProgress {
            return Err(FileError::BatchOver(batch.status));
        }
        let edit = |batch: &mut VectorStoreFileBatch, _: &Document| {
            Ok((record::put_batch(batch, BatchState { cancelled: true }), Batch::new()))
        };
        let missing = || FileError::NoBatch { store: store.clone(), batch: id.clone() };
        self.change::<VectorStoreFileBatch>(scope, (Kind::VectorStoreFileBatch, id.as_str()), missing, edit)
            .await?;
        self.cancel_places(scope, store, id).await?;
        self.batch(scope, store, id).await
    }

    async fn cancel_places(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        id: &VectorStoreFileBatchId,
    ) -> Result<(), FileError> {
        let list = ListRequest::new(Kind::VectorStoreFile).parent(store.as_str()).tag(id.as_str()).limit(100);
        let mut request = list;
        loop {
            let page = scope.list(&request).await?;
            for place in &page.documents {
                self.cancel_place(scope, place).await?;
            }
            match page.documents.last() {
                Some(last) if page.has_more => request.after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn cancel_place(&self, scope: &Scope, place: &Document) -> Result<(), FileError> {
        let mut file: VectorStoreFile = place.decode()?;
        if file.status != VectorStoreFileStatus::InProgress {
            return Ok(());
        }
        let state: PlaceState = place.decode_state()?.unwrap_or_default();
        file.status = VectorStoreFileStatus::Cancelled;
        match self.settle(scope, place, &file, &state).await {
            // Whoever was faster took it in, or took it out.
            Err(FileError::Store(StoreError::Conflict { .. } | StoreError::Missing { .. })) => Ok(()),
            done => done,
        }
    }

    /// Stores a place whose file is no longer in progress, and counts it so.
    pub(crate) async fn settle(
        &self,
        scope: &Scope,
        before: &Document,
        file: &VectorStoreFile,
        state: &PlaceState,
    ) -> Result<(), FileError> {
        let was = Some(&VectorStoreFileStatus::InProgress);
        let put = record::put_place(file, state).expect(Expect::Version(before.version));
        let group = tally::of_store(&file.vector_store_id);
        let batch = tally::shift(Batch::new().put(put), &group, was, Some(&file.status), 1);
        let batch = tally::add_bytes(batch, &group, i64::try_from(file.usage_bytes).unwrap_or(i64::MAX));
        let batch = match &state.batch {
            Some(of) => tally::shift(batch, &tally::of_batch(of), was, Some(&file.status), 1),
            None => batch,
        };
        scope.commit(batch).await?;
        self.0.taken_in.send_modify(|files| *files = files.wrapping_add(1));
        Ok(())
    }
}
