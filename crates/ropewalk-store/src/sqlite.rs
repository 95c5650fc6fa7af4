mod counters;
mod failure;
mod list;
mod read;
mod schema;
mod write;
mod writer;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, TryLockError},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{
    Backend, Batch, Document, DocumentPage, Durability, Kind, Lease, ListRequest, Organization, StoreError,
    disk::{lasting_folder, open_error, private_file, sync_folder},
};
use failure::Failure;
use list::Walk;
use read::Readers;
use writer::Writer;

/// Name of the file.
const DATABASE: &str = "ropewalk.db";
/// Longest page that is read on the calling task; longer ones go to a thread that may block.
const INLINE_LIMIT: usize = 200;
/// Most rows that a long page looks at before it lets others read.
const SLICE: usize = 500;

/// Documents in one SQLite file of a folder that belongs to one server at a time.
///
/// One thread writes: it takes all the commits that wait into one transaction, so many share one sync of the
/// disk. Reads run on the calling task: a point read takes less time (about 8 µs) than a hop to another thread.
pub struct SqliteBackend {
    // Dropped in this order, so that the writer's connection is the last: it moves the log into the file.
    readers: Arc<Readers>,
    writer: Writer,
}

impl SqliteBackend {
    /// Opens `ropewalk.db` in this folder for a server; makes both where they are missing, for this user alone.
    ///
    /// No other server has the folder then, so nobody who had a [lease](crate::Put::leased) is left: what they held is
    /// due at once, whatever the time is. Blocks on the disk, and so does dropping it: it waits for the writes under
    /// way.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another process has the folder, [`StoreError::Inaccessible`] if this one has no right
    /// to it, [`StoreError::Damaged`] if the file is no database, [`StoreError::TooNew`] if a newer release wrote
    /// the data, [`StoreError::NoSpace`] or [`StoreError::Backend`] if the disk fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        lasting_folder(folder).map_err(|error| open_error("sqlite", folder, error))?;
        let lock = lock(folder)?;
        let path = folder.join(DATABASE);
        require_database_of_log(&path)?;
        let created = private_file().create(true).open(&path).and_then(|_| sync_folder(folder));
        created.map_err(|error| open_error("sqlite", &path, error))?;
        let open = || {
            let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            schema::migrate(&mut connection)?;
            write::release(&connection)?;
            Ok(Self { readers: Readers::open(&path)?.into(), writer: Writer::start(connection, Some(lock))? })
        };
        open().map_err(|failure: Failure| failure.at(&path))
    }

    /// Opens the `ropewalk.db` of this folder for an errand, whether a server works on it or not.
    ///
    /// Both see at once what the other stored. They take turns in writing, each for as long as its commits take, so
    /// this is for commands that are soon over: while one process works off its queue, the other waits, and for
    /// five seconds at most. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoDatabase`] if there is none, [`StoreError::InUse`] if its server is of an older release,
    /// [`StoreError::TooNew`] if it is of a newer one, [`StoreError::Inaccessible`], [`StoreError::Damaged`],
    /// [`StoreError::NoSpace`] or [`StoreError::Backend`] as with [`open`](Self::open).
    pub fn open_beside(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(DATABASE);
        if !path.is_file() {
            return Err(StoreError::NoDatabase { folder: folder.to_owned() });
        }
        require_database_of_log(&path)?;
        let open = || {
            let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            // A running server would not expect another schema.
            let alone = if schema::is_old(&connection)? { Some(lock(folder)?) } else { None };
            schema::migrate(&mut connection)?;
            drop(alone);
            Ok(Self { readers: Readers::open(&path)?.into(), writer: Writer::start(connection, None)? })
        };
        open().map_err(|failure: Failure| failure.at(&path))
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBackend").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn get(&self, org: &Organization, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        self.readers.read(|connection| read::get(connection, org, kind, id))
    }

    async fn list(&self, org: &Organization, request: &ListRequest) -> Result<DocumentPage, StoreError> {
        if request.limit <= INLINE_LIMIT && !request.sifts() {
            return self.readers.read(|connection| list::page(connection, org, request));
        }
        let (mut walk, mut is_whole) = (Walk::new(org.clone(), request.clone()), false);
        while !is_whole {
            let readers = Arc::clone(&self.readers);
            let go = move || {
                readers.read(|connection| walk.go(connection, SLICE).map(|is_whole| (walk, is_whole)))
            };
            (walk, is_whole) = tokio::task::spawn_blocking(go).await.map_err(Failure::from)??;
        }
        Ok(walk.into_page())
    }

    async fn counters(
        &self,
        org: &Organization,
        prefix: &str,
        limit: usize,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        self.readers.read(|connection| counters::read(connection, org, prefix, limit))
    }

    async fn commit(&self, org: &Organization, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (org, durability) = (org.clone(), batch.durability);
        self.writer
            .write(durability, move |connection| write::commit(connection, &org, &batch.operations))
            .await
    }

    async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError> {
        // A lease needs no sync: whoever held it went down with the power.
        let claim = move |connection: &_| write::claim(connection, kind, now_ms, lease_until_ms, limit);
        self.writer.write(Durability::Written, claim).await
    }

    async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        let leases = leases.to_vec();
        let renew = move |connection: &_| write::renew(connection, &leases, until_ms);
        self.writer.write(Durability::Written, renew).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError> {
        self.readers.read(|connection| read::next_due(connection, kind))
    }
}

/// A connection that only one thread at a time uses.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Failure> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Or else SQLite plans many statements anew for each value that is bound, at ten times the cost of a page.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    Ok(connection)
}

/// Fails where there is a log whose database is empty or missing: SQLite would remove the log and begin anew.
fn require_database_of_log(path: &Path) -> Result<(), StoreError> {
    let is_empty = |path: &Path| fs::metadata(path).map_or(true, |file| file.len() == 0);
    if is_empty(path) && !is_empty(&path.with_extension("db-wal")) {
        let source = "it is empty or missing, and the log beside it is not".into();
        return Err(StoreError::Damaged { path: path.to_owned(), source });
    }
    Ok(())
}

/// Keeps other processes out of the folder for as long as the file is open.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("ropewalk.lock");
    let opened = private_file().create(true).open(&path);
    let file = opened.map_err(|error| open_error("sqlite", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Failure::from(error).0),
    }
}
