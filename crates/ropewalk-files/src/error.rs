use ropewalk_search::SearchError;
use ropewalk_store::StoreError;
use ropewalk_types::{
    FileId, UploadId, UploadStatus, VectorStoreFileBatchId, VectorStoreFileStatus, VectorStoreId,
};

/// Why a call of a [`Library`](crate::Library) failed. Nothing was changed then, unless the method says more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such file.
    #[error("there is no file `{0}`")]
    NoFile(FileId),
    /// A request names files that are not there.
    #[error("{} of the files named are not there", .0.len())]
    NoFiles(Vec<FileId>),
    /// There is no such upload.
    #[error("there is no upload `{0}`")]
    NoUpload(UploadId),
    /// There is no such vector store.
    #[error("there is no vector store `{0}`")]
    NoVectorStore(VectorStoreId),
    /// The file is not in the vector store.
    #[error("file `{file}` is not in vector store `{store}`")]
    NotInStore {
        /// The store.
        store: VectorStoreId,
        /// The file.
        file: FileId,
    },
    /// There is no such batch in the vector store.
    #[error("there is no batch `{batch}` in vector store `{store}`")]
    NoBatch {
        /// The store.
        store: VectorStoreId,
        /// The batch.
        batch: VectorStoreFileBatchId,
    },
    /// The vector store was not used for too long.
    #[error("vector store `{0}` has expired")]
    Expired(VectorStoreId),
    /// The file is larger than a file or a part may be.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// The organisation's files would take more room than it has.
    #[error("the storage quota is used up")]
    Quota,
    /// Files for assistants must be of a known type.
    #[error("files with the extension `{0}` are not supported")]
    Extension(String),
    /// The file's purpose does not let it be downloaded.
    #[error("files of purpose `{0}` are not downloadable")]
    NotDownloadable(String),
    /// The upload is over.
    #[error("the upload is {}", .0.as_str())]
    UploadOver(UploadStatus),
    /// The upload's parts are not what was declared.
    #[error("the parts do not make the file: {0}")]
    Parts(String),
    /// The batch is over.
    #[error("the batch is {}", .0.as_str())]
    BatchOver(VectorStoreFileStatus),
    /// An object may not use so many files or stores.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// Most of them.
        limit: usize,
    },
    /// The search engine failed.
    #[error("the search failed")]
    Search(#[from] SearchError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}
