//! Vector stores: made, read, changed, deleted.

use ropewalk_store::{Batch, Document, Expect, Kind, Scope, StoreError};
use ropewalk_types::{
    CreateVectorStore, ModifyVectorStore, UnixSeconds, VectorStore, VectorStoreExpiry, VectorStoreId,
    VectorStoreStatus,
};

use crate::{
    FileError, Library, record,
    tally::{self, Tally},
};

const DAY: i64 = 24 * 3600;
/// A use that is noted less than this after the one before is not noted: searches come in swarms.
const USE_GRAIN: i64 = 60;

impl Library {
    /// Makes a vector store with its first files.
    ///
    /// # Errors
    ///
    /// [`FileError::NoFiles`], [`FileError::Store`].
    pub async fn create_vector_store(
        &self,
        scope: &Scope,
        request: CreateVectorStore,
    ) -> Result<VectorStore, FileError> {
        let mut store = VectorStore::new(self.mint(), self.now());
        store.name = request.name.unwrap_or_default();
        store.description = request.description;
        store.expires_after = request.expires_after;
        store.metadata = Some(request.metadata.unwrap_or_default());
        let files = request.file_ids.unwrap_or_default();
        let batch = self.new_store(scope, &mut store, &files, request.chunking_strategy).await?;
        scope.commit(batch).await?;
        self.0.due.notify_one();
        self.filled(scope, store).await
    }

    /// What stores a new vector store with its first files.
    pub(crate) async fn new_store(
        &self,
        scope: &Scope,
        store: &mut VectorStore,
        files: &[ropewalk_types::FileId],
        chunking: Option<ropewalk_types::ChunkingStrategyParam>,
    ) -> Result<Batch, FileError> {
        set_expiry(store);
        let batch = Batch::new().put(record::put_vector_store(store).expect(Expect::Absent));
        let files = crate::attach::alike(files, chunking, None);
        self.attach(scope, &store.id, &files, None, batch).await
    }

    /// A vector store with its counts and status as they are now.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Store`].
    pub async fn vector_store(&self, scope: &Scope, id: &VectorStoreId) -> Result<VectorStore, FileError> {
        let document = scope.get(Kind::VectorStore, id.as_str()).await?;
        let document = document.ok_or_else(|| FileError::NoVectorStore(id.clone()))?;
        self.filled(scope, document.decode()?).await
    }

    /// The stored form of a vector store with its counts and status as they are now.
    ///
    /// # Errors
    ///
    /// [`FileError::Store`].
    pub async fn filled(&self, scope: &Scope, mut store: VectorStore) -> Result<VectorStore, FileError> {
        let Tally { counts, bytes } = tally::read(scope, &tally::of_store(&store.id)).await?;
        store.file_counts = counts;
        store.usage_bytes = bytes;
        store.status = match counts.in_progress {
            _ if is_expired(&store, self.now()) => VectorStoreStatus::Expired,
            0 => VectorStoreStatus::Completed,
            _ => VectorStoreStatus::InProgress,
        };
        Ok(store)
    }

    /// Changes the given fields of a vector store.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Store`].
    pub async fn modify_vector_store(
        &self,
        scope: &Scope,
        id: &VectorStoreId,
        request: ModifyVectorStore,
    ) -> Result<VectorStore, FileError> {
        let edit = |store: &mut VectorStore, _: &Document| {
            request.name.clone().apply_or_default(&mut store.name);
            request.expires_after.clone().apply(&mut store.expires_after);
            request.metadata.clone().apply(&mut store.metadata);
            store.metadata.get_or_insert_default();
            set_expiry(store);
            Ok((record::put_vector_store(store), Batch::new()))
        };
        let missing = || FileError::NoVectorStore(id.clone());
        let store = self.change(scope, (Kind::VectorStore, id.as_str()), missing, edit).await?;
        self.filled(scope, store).await
    }

    /// Deletes a vector store. The files themselves stay.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Store`].
    pub async fn delete_vector_store(&self, scope: &Scope, id: &VectorStoreId) -> Result<(), FileError> {
        let batch = Batch::new().delete_tree(Kind::VectorStore, id.as_str());
        match scope.commit(batch.drop_counters(tally::of_store(id))).await {
            Err(StoreError::Missing { .. }) => return Err(FileError::NoVectorStore(id.clone())),
            done => done?,
        }
        Ok(self.0.engine.drop_collection(&crate::search::collection(scope, id)).await?)
    }

    /// Notes that a vector store is in use, which puts off its expiry.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Expired`], [`FileError::Store`].
    pub(crate) async fn touch(&self, scope: &Scope, id: &VectorStoreId) -> Result<(), FileError> {
        let now = self.now();
        let store = self.vector_store(scope, id).await?;
        if store.status == VectorStoreStatus::Expired {
            return Err(FileError::Expired(id.clone()));
        }
        if store.last_active_at.is_some_and(|last| last.plus(USE_GRAIN) > now) {
            return Ok(());
        }
        let edit = |store: &mut VectorStore, _: &Document| {
            store.last_active_at = Some(now);
            set_expiry(store);
            Ok((record::put_vector_store(store), Batch::new()))
        };
        let missing = || FileError::NoVectorStore(id.clone());
        self.change(scope, (Kind::VectorStore, id.as_str()), missing, edit).await.map(drop)
    }
}

/// The life that a thread's own vector store gets (contract: BEHAVIOUR 7.1).
pub(crate) fn thread_store_expiry() -> VectorStoreExpiry {
    VectorStoreExpiry::days(7)
}

fn set_expiry(store: &mut VectorStore) {
    let last = store.last_active_at.unwrap_or(store.created_at);
    store.expires_at = store.expires_after.map(|expiry| last.plus(expiry.days.saturating_mul(DAY)));
}

fn is_expired(store: &VectorStore, now: UnixSeconds) -> bool {
    store.expires_at.is_some_and(|at| at <= now)
}
