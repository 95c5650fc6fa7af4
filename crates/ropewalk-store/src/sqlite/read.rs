use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::{Failure, connect};
use crate::{Document, Kind, Organization, StoreError};

/// Reads never wait for the writer, only for each other.
const READERS: usize = 4;

/// A few connections that cannot write.
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let open = |_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map(Mutex::new);
        Ok(Self { connections: (0..READERS).map(open).collect::<Result<_, _>>()?, turn: AtomicUsize::new(0) })
    }

    /// Reads with the first free connection, for its cache is the warmest; with the next in turn if none is.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let free = self.connections.iter().find_map(Mutex::try_lock);
        let connection = free
            .unwrap_or_else(|| self.connections[self.turn.fetch_add(1, Ordering::Relaxed) % READERS].lock());
        Ok(read(&connection)?)
    }
}

/// The columns that [`document`] reads, in its order.
pub(super) const COLUMNS: &str = "id, parent, created_at, version, fence, due_at, body, state";

/// A document of `kind` from [`COLUMNS`]. SQLite has no unsigned integers: the bits are kept.
pub(super) fn document(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        kind,
        id: row.get(0)?,
        parent: row.get(1)?,
        created_at: row.get(2)?,
        version: row.get::<_, i64>(3)? as u64,
        fence: row.get::<_, i64>(4)? as u64,
        due_at: row.get(5)?,
        body: row.get::<_, Vec<u8>>(6)?.into(),
        state: row.get::<_, Option<Vec<u8>>>(7)?.map(Into::into),
    })
}

pub(super) fn get(
    connection: &Connection,
    org: &Organization,
    kind: Kind,
    id: &str,
) -> Result<Option<Document>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_row(params![org.as_str(), kind.as_str(), id], |row| document(kind, row));
    Ok(found.optional()?)
}

pub(super) fn next_due(connection: &Connection, kind: Kind) -> Result<Option<i64>, Failure> {
    let sql = "SELECT min(due_at) FROM object WHERE kind = ?1 AND due_at IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.query_row([kind.as_str()], |row| row.get(0))?)
}
