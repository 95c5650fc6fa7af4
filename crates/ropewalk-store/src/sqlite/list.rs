use ropewalk_types::Order;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{
    Failure,
    read::{COLUMNS, document},
};
use crate::{
    Document, DocumentPage, Kind, ListRequest, Organization, StoreError,
    list::{Position, interval},
};

/// A page at once.
pub(super) fn page(
    connection: &Connection,
    org: &Organization,
    request: &ListRequest,
) -> Result<DocumentPage, Failure> {
    let mut walk = Walk::new(org.clone(), request.clone());
    walk.go(connection, usize::MAX)?;
    Ok(walk.into_page())
}

/// A page in the making: what was found, and what is still to be walked.
pub(super) struct Walk {
    org: Organization,
    request: ListRequest,
    /// `None` until the cursors were looked up.
    ahead: Option<(Position, Position)>,
    found: Vec<Document>,
}

impl Walk {
    pub(super) fn new(org: Organization, request: ListRequest) -> Self {
        Self { org, request, ahead: None, found: Vec::new() }
    }

    /// Looks at the next `rows` rows at most, and says whether the page is whole.
    pub(super) fn go(&mut self, connection: &Connection, rows: usize) -> Result<bool, Failure> {
        let (org, request, found) = (&self.org, &self.request, &mut self.found);
        let (mut low, mut high) = match self.ahead {
            Some(ahead) => ahead,
            None => window(connection, org, request)?,
        };
        let ListRequest { kind, parent, tag, limit, order, .. } = request;
        let mut statement = connection.prepare_cached(&page_sql(*order, tag.is_some()))?;
        let values = named_params! {
            ":org": org.as_str(), ":kind": kind.as_str(), ":parent": parent, ":tag": tag,
            ":low_at": low.0, ":low_seq": low.1, ":high_at": high.0, ":high_seq": high.1,
        };
        let mut cursor = statement.query(values)?;
        for _ in 0..rows {
            let Some(row) = cursor.next()? else { return Ok(true) };
            let (document, place) = (document(*kind, row)?, row.get(8)?);
            match order {
                Order::Asc => low = (document.created_at, place),
                Order::Desc => high = (document.created_at, place),
            }
            let id = &document.id;
            if request.accepts(&document, |kind, tag| has_child(connection, org, id, kind, tag))? {
                found.push(document);
                if found.len() > *limit {
                    return Ok(true);
                }
            }
        }
        self.ahead = Some((low, high));
        Ok(false)
    }

    pub(super) fn into_page(self) -> DocumentPage {
        DocumentPage::cut(self.found, self.request.limit)
    }
}

/// Where the page may lie: between the cursors, and in the time asked for.
fn window(
    connection: &Connection,
    org: &Organization,
    request: &ListRequest,
) -> Result<(Position, Position), Failure> {
    let ListRequest { kind, parent, order, after, before, .. } = request;
    let position = |id: &String| position(connection, org, *kind, parent.as_deref(), id);
    let after = after.as_ref().map(position).transpose()?;
    let before = before.as_ref().map(position).transpose()?;
    Ok(request.narrow(interval(*order, after, before)))
}

const HAS_CHILD: &str = "SELECT 1 FROM object INDEXED BY object_tag \
                         WHERE org = ?1 AND kind = ?2 AND parent = ?3 AND tag = ?4";

fn has_child(
    connection: &Connection,
    org: &Organization,
    id: &str,
    kind: Kind,
    tag: &str,
) -> Result<bool, Failure> {
    Ok(connection.prepare_cached(HAS_CHILD)?.exists([org.as_str(), kind.as_str(), id, tag])?)
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
        "SELECT {COLUMNS}, place FROM object INDEXED BY {index} \
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
    use rusqlite::{OpenFlags, StatementStatus};
    use tempfile::TempDir;

    use super::*;
    use crate::{ListFilter, sqlite::connect};

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
            page(&connection, &org, &ListRequest::new(Kind::Run).parent("thread").limit(limit)).unwrap();
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

    #[test]
    fn a_child_is_found_by_one_search_of_an_index() {
        let (_folder, connection) = database();
        assert_eq!(
            plan(&connection, HAS_CHILD),
            "SEARCH object USING COVERING INDEX object_tag (org=? AND kind=? AND parent=? AND tag=?)"
        );
    }

    /// Messages of a thread, a thousand a second; every other one belongs to `run`.
    fn fill(connection: &Connection, thread: &str, messages: i64) {
        let sql = "
            WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?2)
            INSERT INTO object (org, kind, id, parent, tag, created_at, version, fence, body)
            SELECT 'rope', 'message', ?1 || '/' || n, ?1, iif(n % 2, 'run', 'other'), n / 1000, 1, 0, x'7b7d' FROM number";
        connection.execute(sql, params![thread, messages]).unwrap();
    }

    #[test]
    fn a_page_of_a_hundred_thousand_costs_what_one_of_ten_does() {
        let (_folder, connection) = database();
        fill(&connection, "short", 10);
        fill(&connection, "long", 100_000);
        let org = Organization::new("rope");
        // Steps of SQLite's machine; sorts and full scans would show as such.
        let cost = |request: &ListRequest| {
            let sql = page_sql(request.order, request.tag.is_some());
            let status = |status| connection.prepare_cached(&sql).unwrap().reset_status(status);
            status(StatementStatus::VmStep);
            assert_eq!(page(&connection, &org, request).unwrap().documents.len(), request.limit);
            assert_eq!((status(StatementStatus::Sort), status(StatementStatus::FullscanStep)), (0, 0));
            status(StatementStatus::VmStep)
        };
        for order in [Order::Asc, Order::Desc] {
            for tag in [None, Some("run".to_owned())] {
                let of = |thread: &str| {
                    let request = ListRequest::new(Kind::Message).parent(thread).order(order).limit(3);
                    ListRequest { tag: tag.clone(), ..request }
                };
                let short = cost(&of("short"));
                let pages = [
                    of("long"),
                    of("long").after("long/50001"),
                    of("long").before("long/50001"),
                    of("long").after(if order == Order::Asc { "long/99901" } else { "long/99" }),
                    of("long").filter(ListFilter::CreatedFrom(10)).filter(ListFilter::CreatedUntil(90)),
                ];
                for long in pages {
                    let cost = cost(&long);
                    // The row of a cursor may be met once, and passed over.
                    assert!(2 * cost <= 3 * short, "{cost} steps are more than {short}: {long:?}");
                }
            }
        }
    }

    #[test]
    fn a_page_that_passes_over_many_rows_is_made_in_slices() {
        let (_folder, connection) = database();
        fill(&connection, "thread", 100);
        let none = ListRequest::new(Kind::Message).parent("thread").filter(ListFilter::text(["absent"], ""));
        let mut walk = Walk::new(Organization::new("rope"), none);
        let slices: Vec<bool> = (0..4).map(|_| walk.go(&connection, 30).unwrap()).collect();
        assert_eq!(slices, [false, false, false, true]);
        assert_eq!(walk.into_page(), DocumentPage::default());
    }
}
