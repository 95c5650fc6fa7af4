//! Files on their way into a vector store.

use ropewalk_store::{Batch, Document, Expect, Kind, Operation, Put, Scope};
use ropewalk_types::{
    Attributes, ChunkingStrategy, ChunkingStrategyParam, CreateVectorStoreFile, File, FileId,
    VectorStoreFile, VectorStoreFileBatchId, VectorStoreFileStatus, VectorStoreId,
};

use crate::{
    FileError, Library,
    record::{self, PlaceState},
    tally,
};

/// Files that share their settings.
pub(crate) fn alike(
    files: &[FileId],
    chunking: Option<ChunkingStrategyParam>,
    attributes: Option<&Attributes>,
) -> Vec<CreateVectorStoreFile> {
    let one = |file: &FileId| {
        let mut one = CreateVectorStoreFile::new(file.clone());
        one.chunking_strategy = chunking;
        one.attributes = attributes.cloned();
        one
    };
    files.iter().map(one).collect()
}

impl Library {
    /// Adds to `batch` what puts `files` into a vector store, to be taken in by the worker. A file that is in it
    /// already is taken in anew.
    pub(crate) async fn attach(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        files: &[CreateVectorStoreFile],
        of: Option<&VectorStoreFileBatchId>,
        mut batch: Batch,
    ) -> Result<Batch, FileError> {
        let mut missing = Vec::new();
        let mut begun = 0;
        for (position, request) in files.iter().enumerate() {
            let id = &request.file_id;
            let place_id = record::place(store, id);
            let twice = files[..position].iter().any(|earlier| earlier.file_id == *id);
            if twice || puts(&batch, &place_id) {
                continue;
            }
            let Some(file) = scope.get(Kind::File, id.as_str()).await? else {
                missing.push(id.clone());
                continue;
            };
            let file: File = file.decode()?;
            if let Some(there) = scope.get(Kind::VectorStoreFile, &place_id).await? {
                batch = leave(batch, &there)?;
            } else {
                batch = batch.put(record::put_use(id, store.as_str(), self.now().0));
            }
            let mut place = VectorStoreFile::new(id.clone(), store.clone(), self.now());
            place.attributes = Some(request.attributes.clone().unwrap_or_default());
            let window = request.chunking_strategy.unwrap_or_default().window();
            place.chunking_strategy = Some(ChunkingStrategy::Static { window });
            let state = PlaceState { batch: of.cloned(), filename: file.filename };
            batch = batch
                .require(Kind::File, id.as_str())
                .put(record::put_place(&place, &state).expect(Expect::Absent));
            begun += 1;
        }
        if !missing.is_empty() {
            return Err(FileError::NoFiles(missing));
        }
        if begun == 0 {
            return Ok(batch);
        }
        let begins = Some(&VectorStoreFileStatus::InProgress);
        let batch = tally::shift(batch, &tally::of_store(store), None, begins, begun);
        Ok(match of {
            Some(of) => tally::shift(batch, &tally::of_batch(of), None, begins, begun),
            None => batch,
        })
    }
}

/// Whether the batch makes this vector store.
pub(crate) fn makes(batch: &Batch, store: &VectorStoreId) -> bool {
    let it = |put: &Put| put.kind == Kind::VectorStore && put.id == store.as_str();
    batch.operations.iter().any(|step| matches!(step, Operation::Put(put) if it(put)))
}

/// Whether the batch puts a file at this place already.
fn puts(batch: &Batch, place: &str) -> bool {
    let at = |put: &Put| put.kind == Kind::VectorStoreFile && put.id == place;
    batch.operations.iter().any(|step| matches!(step, Operation::Put(put) if at(put)))
}

/// Adds to `batch` what takes a file out of its vector store: its place, its chunks, its part in the counts.
pub(crate) fn leave(batch: Batch, place: &Document) -> Result<Batch, FileError> {
    let file: VectorStoreFile = place.decode()?;
    let state: PlaceState = place.decode_state()?.unwrap_or_default();
    let batch = batch
        .require_version(Kind::VectorStoreFile, place.id.as_str(), place.version)
        .delete_tree(Kind::VectorStoreFile, place.id.as_str());
    let group = tally::of_store(&file.vector_store_id);
    let batch = tally::shift(batch, &group, Some(&file.status), None, 1);
    let batch = tally::add_bytes(batch, &group, -i64::try_from(file.usage_bytes).unwrap_or(i64::MAX));
    Ok(match &state.batch {
        Some(of) => tally::shift(batch, &tally::of_batch(of), Some(&file.status), None, 1),
        None => batch,
    })
}
