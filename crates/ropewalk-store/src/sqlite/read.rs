use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use ropewalk_types::Order;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, named_params, params};

use super::{Failure, connect};
use crate::{
    Document, DocumentPage, Kind, ListRequest, Organization, StoreError,
    list::{Position, interval},
};

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

pub(super) fn list(
    connection: &Connection,
    org: &Organization,
    request: &ListRequest,
) -> Result<DocumentPage, Failure> {
    let ListRequest { kind, parent, tag, limit, order, after, before } = request;
    let position = |id: &String| position(connection, org, *kind, parent.as_deref(), id);
    let after = after.as_ref().map(position).transpose()?;
    let before = before.as_ref().map(position).transpose()?;
    let (low, high) = interval(*order, after, before);
    let mut statement = connection.prepare_cached(&page_sql(*order, tag.is_some()))?;
    let values = named_params! {
        ":org": org.as_str(), ":kind": kind.as_str(), ":parent": parent, ":tag": tag,
        ":low_at": low.0, ":low_seq": low.1, ":high_at": high.0, ":high_seq": high.1,
    };
    let documents = statement.query_map(values, |row| document(*kind, row))?.take(limit.saturating_add(1));
    Ok(DocumentPage::cut(documents.collect::<Result<_, _>>()?, *limit))
}

pub(super) fn next_due(connection: &Connection, kind: Kind) -> Result<Option<i64>, Failure> {
    let sql = "SELECT min(due_at) FROM object WHERE kind = ?1 AND due_at IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.query_row([kind.as_str()], |row| row.get(0))?)
}

/// The whole list is the interval between two positions that no document has, so one text serves all cursors.
///
/// The index is named, for SQLite would take the one without the tag and skip what does not match.
fn page_sql(order: Order, tagged: bool) -> String {
    let (index, tag) = if tagged { ("object_tag", "tag = :tag") } else { ("object_list", ":tag IS NULL") };
    let direction = match order {
        Order::Asc => "ASC",
        Order::Desc => "DESC",
    };
    format!(
        "SELECT {COLUMNS} FROM object INDEXED BY {index} \
         WHERE org = :org AND kind = :kind AND parent IS :parent AND {tag} \
         AND (created_at, place) > (:low_at, :low_seq) AND (created_at, place) < (:high_at, :high_seq) \
         ORDER BY created_at {direction}, place {direction}"
    )
}

fn position(
    connection: &Connection,
    org: &Organization,
    kind: Kind,
    parent: Option<&str>,
    id: &str,
) -> Result<Position, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT created_at, place FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3 AND parent IS ?4",
    )?;
    let place = params![org.as_str(), kind.as_str(), id, parent];
    let found = statement.query_row(place, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.ok_or_else(|| StoreError::UnknownCursor { id: id.to_owned() })?)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::*;

    fn database() -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(&folder.path().join("test.db"), access).unwrap();
        crate::sqlite::schema::migrate(&mut connection).unwrap();
        (folder, connection)
    }

    /// How SQLite would run a statement.
    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps =
            statement.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>();
        steps.unwrap().join("; ")
    }

    #[test]
    fn a_statement_is_planned_once_for_all_pages() {
        let (_folder, connection) = database();
        let org = Organization::new("rope");
        for limit in [1, 20, 100] {
            list(&connection, &org, &ListRequest::new(Kind::Run).parent("thread").limit(limit)).unwrap();
        }
        let statement = connection.prepare_cached(&page_sql(Order::Desc, false)).unwrap();
        assert_eq!(statement.get_status(StatementStatus::Run), 3);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_page_is_one_walk_along_an_index() {
        let (_folder, connection) = database();
        for order in [Order::Asc, Order::Desc] {
            assert_eq!(
                plan(&connection, &page_sql(order, false)),
                "SEARCH object USING INDEX object_list (org=? AND kind=? AND parent=? AND (created_at,place)>(?,?) \
                 AND (created_at,place)<(?,?))"
            );
            assert_eq!(
                plan(&connection, &page_sql(order, true)),
                "SEARCH object USING INDEX object_tag (org=? AND kind=? AND parent=? AND tag=? AND \
                 (created_at,place)>(?,?) AND (created_at,place)<(?,?))"
            );
        }
    }
}
