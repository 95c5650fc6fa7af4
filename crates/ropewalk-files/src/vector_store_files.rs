//! Files in vector stores: put in, looked at, taken out.

use ropewalk_store::{Batch, Document, Kind, Scope, StoreError};
use ropewalk_types::{
    CreateVectorStoreFile, FileContentPage, FileId, ModifyVectorStoreFile, TextContent, VectorStoreFile,
    VectorStoreId, VectorStoreStatus,
};

use crate::{FileError, Library, attach, library::CHANGE_TRIES, record, search::collection};

impl Library {
    /// Puts a file into a vector store.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Expired`], [`FileError::NoFiles`], [`FileError::Store`].
    pub async fn add_to_store(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        request: CreateVectorStoreFile,
    ) -> Result<VectorStoreFile, FileError> {
        let file = request.file_id.clone();
        self.attach_now(scope, store, &[request], None, Batch::new()).await?;
        self.file_in_store(scope, store, &file).await?.decode().map_err(FileError::from)
    }

    /// Puts files into a vector store that is there, again if another was faster.
    pub(crate) async fn attach_now(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        files: &[CreateVectorStoreFile],
        of: Option<&ropewalk_types::VectorStoreFileBatchId>,
        first: Batch,
    ) -> Result<(), FileError> {
        for _ in 0..CHANGE_TRIES {
            if self.vector_store(scope, store).await?.status == VectorStoreStatus::Expired {
                return Err(FileError::Expired(store.clone()));
            }
            let batch = first.clone().require(Kind::VectorStore, store.as_str());
            let batch = self.attach(scope, store, files, of, batch).await?;
            match scope.commit(batch).await {
                Ok(()) => {
                    self.0.due.notify_one();
                    return Ok(());
                }
                Err(StoreError::Missing { kind: Kind::VectorStore, .. }) => {
                    return Err(FileError::NoVectorStore(store.clone()));
                }
                // The file, or its place in the store, was changed meanwhile.
                Err(error) if error.is_overtaken() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// A file's place in a vector store as it is stored: its body is the wire form.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::NotInStore`], [`FileError::Store`].
    pub async fn file_in_store(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        file: &FileId,
    ) -> Result<Document, FileError> {
        if let Some(place) = scope.get(Kind::VectorStoreFile, &record::place(store, file)).await? {
            return Ok(place);
        }
        match scope.get(Kind::VectorStore, store.as_str()).await? {
            None => Err(FileError::NoVectorStore(store.clone())),
            Some(_) => Err(FileError::NotInStore { store: store.clone(), file: file.clone() }),
        }
    }

    /// Replaces the attributes of a file in a vector store.
    ///
    /// # Errors
    ///
    /// As [`Library::file_in_store`], and [`FileError::Search`].
    pub async fn modify_in_store(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        file: &FileId,
        request: ModifyVectorStoreFile,
    ) -> Result<VectorStoreFile, FileError> {
        self.file_in_store(scope, store, file).await?;
        let attributes = request.attributes.unwrap_or_default();
        let edit = |place: &mut VectorStoreFile, document: &Document| {
            place.attributes = Some(attributes.clone());
            let state = document.decode_state()?.unwrap_or_default();
            // Whoever is taking it in keeps it.
            Ok((record::put_place(place, &state).due_at(document.due_at), Batch::new()))
        };
        let missing = || FileError::NotInStore { store: store.clone(), file: file.clone() };
        let of = (Kind::VectorStoreFile, &*record::place(store, file));
        let changed = self.change(scope, of, missing, edit).await?;
        // Of two who change them at once, both give the engine what the later one left.
        let stored: VectorStoreFile = self.file_in_store(scope, store, file).await?.decode()?;
        let attributes = stored.attributes.unwrap_or_default();
        self.0.engine.set_attributes(&collection(scope, store), file, attributes).await?;
        Ok(changed)
    }

    /// Takes a file out of a vector store. The file itself stays.
    ///
    /// # Errors
    ///
    /// As [`Library::file_in_store`], and [`FileError::Search`].
    pub async fn remove_from_store(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        file: &FileId,
    ) -> Result<(), FileError> {
        for _ in 0..CHANGE_TRIES {
            let place = self.file_in_store(scope, store, file).await?;
            match scope.commit(attach::leave(Batch::new(), &place)?).await {
                Ok(()) => return Ok(self.0.engine.remove(&collection(scope, store), file).await?),
                Err(error) if error.is_overtaken() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The text of a file, as a vector store takes it in.
    ///
    /// # Errors
    ///
    /// As [`Library::file_in_store`]; [`FileError::NoFile`] if the file itself is gone.
    pub async fn content_in_store(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        file: &FileId,
    ) -> Result<FileContentPage, FileError> {
        let place: VectorStoreFile = self.file_in_store(scope, store, file).await?.decode()?;
        // It is never closed.
        let _reading = self.0.readings.acquire().await.ok();
        let completed = place.status == ropewalk_types::VectorStoreFileStatus::Completed;
        let text = if completed { self.text_of(scope, file).await?.ok() } else { None };
        Ok(FileContentPage::new(text.map(|text| TextContent::Text { text }).into_iter().collect()))
    }
}
