//! How files, uploads and vector stores lie in the store: the wire form plus the columns that order and find it.

use bytes::Bytes;
use ropewalk_store::{Batch, Expect, Kind, Put};
use ropewalk_types::{
    File, FileExpiry, FileId, Upload, UploadPart, VectorStore, VectorStoreFile, VectorStoreFileBatch,
    VectorStoreFileBatchId, VectorStoreFileStatus, VectorStoreId,
};
use serde::{Deserialize, Serialize};

use crate::tally;

/// An object's wire form, as it is stored and sent.
pub(crate) fn wire(value: &impl Serialize) -> Bytes {
    // Our types have string keys and finite numbers: writing them cannot fail.
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

fn milliseconds(at: ropewalk_types::UnixSeconds) -> i64 {
    at.0.saturating_mul(1000)
}

/// A file, ready to be stored: found by its purpose, due when it expires.
pub fn put_file(file: &File) -> Put {
    Put::new(Kind::File, file.id.as_str(), file.created_at.0, wire(file))
        .tag(file.purpose.as_str())
        .due_at(file.expires_at.map(milliseconds))
}

/// What the server keeps with an upload and never sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadState {
    pub(crate) mime_type: String,
    /// Whether nothing is left of the parts of an upload that is over.
    #[serde(default)]
    pub(crate) parts_dropped: bool,
    pub(crate) expires_after: Option<FileExpiry>,
}

pub(crate) fn put_upload(upload: &Upload, state: &UploadState) -> Put {
    let open = upload.status == ropewalk_types::UploadStatus::Pending || !state.parts_dropped;
    Put::new(Kind::Upload, upload.id.as_str(), upload.created_at.0, wire(upload))
        .state(wire(state))
        .due_at(open.then(|| milliseconds(upload.expires_at)))
}

/// What the server keeps with a part and never sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartState {
    pub(crate) bytes: u64,
}

pub(crate) fn put_part(part: &UploadPart, state: PartState) -> Put {
    Put::new(Kind::UploadPart, part.id.as_str(), part.created_at.0, wire(part))
        .parent(part.upload_id.as_str())
        .state(wire(&state))
}

/// A vector store, ready to be stored. Its counts and status are not: they follow from counters and the time.
pub fn put_vector_store(store: &VectorStore) -> Put {
    Put::new(Kind::VectorStore, store.id.as_str(), store.created_at.0, wire(store))
}

/// Where a file's place in a vector store lies: a file can be in several.
pub fn place(store: &VectorStoreId, file: &FileId) -> String {
    format!("{store}/{file}")
}

/// What the server keeps with a file's place in a vector store and never sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PlaceState {
    /// The batch it came with.
    pub(crate) batch: Option<VectorStoreFileBatchId>,
    pub(crate) filename: String,
}

/// A file's place in a vector store: below the store, found by its batch, due at once until it is taken in.
pub(crate) fn put_place(file: &VectorStoreFile, state: &PlaceState) -> Put {
    let open = file.status == VectorStoreFileStatus::InProgress;
    let id = place(&file.vector_store_id, &file.id);
    let put = Put::new(Kind::VectorStoreFile, id, file.created_at.0, wire(file))
        .parent(file.vector_store_id.as_str())
        .state(wire(state))
        .due_at(open.then_some(0));
    match &state.batch {
        Some(batch) => put.tag(batch.as_str()),
        None => put,
    }
}

/// Adds to `batch` what stores a file that is new, in its organisation's count of bytes too. Its bytes are a blob of the
/// same id, which must be there before.
#[must_use]
pub fn add_file(batch: Batch, file: &File) -> Batch {
    let bytes = i64::try_from(file.bytes).unwrap_or(i64::MAX);
    batch.put(put_file(file).expect(Expect::Absent)).add(tally::FILE_BYTES, bytes)
}

/// Adds to `batch` what puts a file into a vector store that it is not in, in the store's counts too. While it is in
/// progress a worker takes it in. File and store must be there.
#[must_use]
pub fn add_place(batch: Batch, place: &VectorStoreFile, filename: &str) -> Batch {
    let state = PlaceState { filename: filename.to_owned(), ..PlaceState::default() };
    let store = &place.vector_store_id;
    let batch = batch
        .require(Kind::VectorStore, store.as_str())
        .require(Kind::File, place.id.as_str())
        .put(put_use(&place.id, store.as_str(), place.created_at.0))
        .put(put_place(place, &state).expect(Expect::Absent));
    tally::shift(batch, &tally::of_store(store), None, Some(&place.status), 1)
}

/// What the server keeps with a batch and never sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BatchState {
    pub(crate) cancelled: bool,
}

pub(crate) fn put_batch(batch: &VectorStoreFileBatch, state: BatchState) -> Put {
    Put::new(Kind::VectorStoreFileBatch, batch.id.as_str(), batch.created_at.0, wire(batch))
        .parent(batch.vector_store_id.as_str())
        .state(wire(&state))
}

/// Notes that a file was deleted and that somebody must forget it everywhere.
pub(crate) fn put_deleted_file(file: &FileId, due_at: i64) -> Put {
    Put::new(Kind::DeletedFile, file.as_str(), 0, wire(file)).due_at(due_at)
}

/// Notes that `object` uses `file`, so that it is found when the file is deleted.
pub fn put_use(file: &FileId, object: &str, created_at: i64) -> Put {
    let id = format!("{file}/{object}");
    Put::new(Kind::FileUse, id, created_at, wire(&object)).parent(file.as_str())
}
