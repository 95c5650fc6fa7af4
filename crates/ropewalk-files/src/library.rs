use std::{sync::Arc, time::Duration};

use ropewalk_search::SearchEngine;
use ropewalk_store::{Batch, Blobs, Clock, Document, Expect, Kind, Put, Scope, Store, StoreError};
use ropewalk_types::{Id, IdSource, UnixSeconds};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore, watch};

use crate::FileError;

/// Files whose text is read at once for callers; others wait.
const READINGS: usize = 2;
/// Tries of a change that others keep getting ahead of.
pub(crate) const CHANGE_TRIES: usize = 20;

/// Settings of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LibraryOptions {
    /// Most bytes of a file; 512 MiB.
    pub max_file_bytes: u64,
    /// Most bytes of a part of an upload; 64 MiB.
    pub max_part_bytes: u64,
    /// Most bytes of a file that a vector store takes in; 64 MiB. It is held in memory then.
    pub max_ingested_bytes: u64,
    /// Most bytes of all files of one organisation; no limit if `None`.
    pub max_total_bytes: Option<u64>,
    /// How long an upload may stay unfinished; an hour.
    pub upload_expiry: Duration,
    /// Files taken in at once; 2.
    pub ingestions: usize,
}

impl Default for LibraryOptions {
    fn default() -> Self {
        Self {
            max_file_bytes: 512 << 20,
            max_part_bytes: 64 << 20,
            max_ingested_bytes: 64 << 20,
            max_total_bytes: None,
            upload_expiry: Duration::from_secs(3600),
            ingestions: 2,
        }
    }
}

/// Files, uploads and vector stores of all organisations. Cheap to clone.
///
/// What a caller may see is said by the [`Scope`] that each method takes.
#[derive(Debug, Clone)]
pub struct Library(pub(crate) Arc<Shelves>);

pub(crate) struct Shelves {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) engine: Arc<dyn SearchEngine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) options: LibraryOptions,
    /// Wakes the worker before its next tick.
    pub(crate) due: Notify,
    /// Files whose text is read for a caller: each is held in memory.
    pub(crate) readings: Semaphore,
    /// Counts the files that this process has taken in, for those who wait for one.
    pub(crate) taken_in: watch::Sender<u64>,
}

impl std::fmt::Debug for Shelves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelves")
            .field("engine", &self.engine)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Library {
    /// A library that keeps objects in `store`, bytes in `blobs`, and searches with `engine`.
    pub fn new(
        store: Store,
        blobs: Blobs,
        engine: Arc<dyn SearchEngine>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        options: LibraryOptions,
    ) -> Self {
        let (due, readings, taken_in) = (Notify::new(), Semaphore::new(READINGS), watch::Sender::new(0));
        Self(Arc::new(Shelves { store, blobs, engine, clock, ids, options, due, readings, taken_in }))
    }

    /// Its settings.
    pub fn options(&self) -> &LibraryOptions {
        &self.0.options
    }

    /// The present.
    pub fn now(&self) -> UnixSeconds {
        self.0.clock.now()
    }

    /// This much later than now, in Unix milliseconds.
    pub(crate) fn later(&self, time: Duration) -> i64 {
        self.0.clock.now_ms().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }

    pub(crate) fn mint<I: Id>(&self) -> I {
        I::mint(&*self.0.ids)
    }

    /// Changes one object, again if another was faster. `edit` gives what else is to be stored with it.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        scope: &Scope,
        (kind, id): (Kind, &str),
        missing: impl Fn() -> FileError,
        edit: impl Fn(&mut T, &Document) -> Result<(Put, Batch), FileError>,
    ) -> Result<T, FileError> {
        for _ in 0..CHANGE_TRIES {
            let document = scope.get(kind, id).await?.ok_or_else(&missing)?;
            let mut object: T = document.decode()?;
            let (put, batch) = edit(&mut object, &document)?;
            match scope.commit(batch.put(put.expect(Expect::Version(document.version)))).await {
                Ok(()) => return Ok(object),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}
