use std::path::PathBuf;

use crate::Kind;

/// Any error of a backend.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store call failed. Whatever it was, nothing of a failed commit is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object is no longer at the expected version. Reload it, then decide anew.
    #[error("{kind} `{id}` was changed by another writer")]
    Conflict {
        /// Its kind.
        kind: Kind,
        /// The contested object.
        id: String,
    },
    /// The object was to be new.
    #[error("{kind} `{id}` already exists")]
    AlreadyExists {
        /// Its kind.
        kind: Kind,
        /// The object that is there.
        id: String,
    },
    /// The object must be there to be required, deleted, or put at a version.
    #[error("{kind} `{id}` does not exist")]
    Missing {
        /// Its kind.
        kind: Kind,
        /// The absent object.
        id: String,
    },
    /// Another document holds the lock.
    #[error("`{lock}` is held by `{holder}`")]
    Locked {
        /// Name of the lock.
        lock: String,
        /// Id of the document that holds it.
        holder: String,
    },
    /// A counter would stand above what the batch allows.
    #[error("counter `{counter}` would stand above {limit}")]
    OverLimit {
        /// Name of the counter.
        counter: String,
        /// The most it may be.
        limit: i64,
    },
    /// The cursor names no document of the list.
    #[error("cursor `{id}` is not in the list")]
    UnknownCursor {
        /// The cursor as given.
        id: String,
    },
    /// There are no bytes of this id.
    #[error("blob `{id}` does not exist")]
    MissingBlob {
        /// The absent blob.
        id: String,
    },
    /// The disk, or the memory set aside, is full. Make room, then try again.
    #[error("no space is left")]
    NoSpace(#[source] BoxError),
    /// The bounded write queue is full; worth a retry with backoff.
    #[error("too many writes are waiting")]
    Busy,
    /// What is stored is not what it should be.
    #[error("stored {kind} `{id}` cannot be read")]
    Corrupt {
        /// Its kind.
        kind: Kind,
        /// The damaged object.
        id: String,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// Another server works on this data folder. Stop it, or choose another folder.
    #[error("folder `{}` is in use by another server", folder.display())]
    InUse {
        /// The contested folder.
        folder: PathBuf,
    },
    /// There is no database to be opened beside its server.
    #[error("folder `{}` has no database", folder.display())]
    NoDatabase {
        /// The folder.
        folder: PathBuf,
    },
    /// The system does not let this process work on a file or folder that is needed. Give it the right to, or make the
    /// disk writable; the cause says which.
    #[error("`{}` cannot be read and written", path.display())]
    Inaccessible {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: BoxError,
    },
    /// The file is not, or no longer, what a store wrote. Nothing was changed; put a sound copy in its place.
    #[error("`{}` is damaged; nothing in it was changed, put a sound copy of it in its place", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// A newer release wrote the data. Install that one or a later one.
    #[error("the data has schema {found}, this build knows schemas up to {known}")]
    TooNew {
        /// Schema of the data.
        found: usize,
        /// Newest schema that this build can read.
        known: usize,
    },
    /// The named backend broke; worth a retry with backoff.
    #[error("{0} store failed")]
    Backend(&'static str, #[source] BoxError),
}

impl StoreError {
    /// Whether another writer was faster: read again what the batch was made of, then decide anew.
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::AlreadyExists { .. } | Self::Missing { .. })
    }

    /// Whether the same call may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Backend(..))
    }
}
