use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{
    Failure, counters,
    read::{COLUMNS, document},
};
use crate::{Document, Expect, Kind, Lease, Operation, Organization, Put, StoreError};

/// Runs one statement that returns no rows, and says how many it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(values)
}

/// Does all of `work` or none of it, inside the transaction of its group.
fn whole<T>(connection: &Connection, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    execute(connection, "SAVEPOINT whole", [])?;
    let done = work();
    // Where SQLite itself gave up the whole transaction, there is no savepoint left.
    if done.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK TO whole", [])?;
        execute(connection, "RELEASE whole", [])?;
    }
    let value = done?;
    execute(connection, "RELEASE whole", [])?;
    Ok(value)
}

pub(super) fn commit(
    connection: &Connection,
    org: &Organization,
    steps: &[Operation],
) -> Result<(), Failure> {
    match steps {
        [only] => apply(connection, org, only), // A step that fails has changed nothing.
        steps => whole(connection, || steps.iter().try_for_each(|step| apply(connection, org, step))),
    }
}

fn apply(connection: &Connection, org: &Organization, step: &Operation) -> Result<(), Failure> {
    match step {
        Operation::Put(new) => put(connection, org, new),
        Operation::Delete(kind, id) => {
            let sql = "DELETE FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3";
            let deleted = execute(connection, sql, params![org.as_str(), kind.as_str(), id])?;
            present(deleted > 0, *kind, id)
        }
        Operation::DeleteTree(kind, id) => {
            let deleted = execute(connection, &delete_tree_sql(), params![org.as_str(), kind.as_str(), id])?;
            present(deleted > 0, *kind, id)
        }
        Operation::Require(kind, id) => {
            let sql = "SELECT 1 FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3";
            let found = connection.prepare_cached(sql)?.exists(params![org.as_str(), kind.as_str(), id])?;
            present(found, *kind, id)
        }
        Operation::RequireVersion(kind, id, version) => {
            let sql = "SELECT version FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let key = params![org.as_str(), kind.as_str(), id];
            let stored = statement.query_row(key, |row| row.get::<_, i64>(0)).optional()?;
            Ok(Expect::Version(*version).check(*kind, id, stored.map(|stored| stored as u64))?)
        }
        Operation::RequireUnlocked(lock) => require_unlocked(connection, org, lock, None),
        Operation::Add(name, delta) => counters::add(connection, org, name, *delta),
        Operation::DropCounters(prefix) => counters::remove(connection, org, prefix),
        Operation::RequireAtMost(name, limit) => counters::require_at_most(connection, org, name, *limit),
    }
}

fn put(connection: &Connection, org: &Organization, put: &Put) -> Result<(), Failure> {
    let Put { kind, id, parent, tag, created_at, body, state, lock, due_at, leased, fence, expect } = put;
    let (org_text, kind_text, fence) = (org.as_str(), kind.as_str(), fence.map(|fence| fence as i64));
    let mut find = connection.prepare_cached(
        "SELECT seq, version, parent IS ?4 AND tag IS ?5 AND created_at = ?6, lock IS ?7 AND due_at IS ?8
         FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3",
    )?;
    let found: Option<(i64, i64, bool, bool)> = find
        .query_row(params![org_text, kind_text, id, parent, tag, created_at, lock, due_at], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    expect.check(*kind, id, found.map(|(_, version, ..)| version as u64))?;
    if let Some(lock) = lock {
        require_unlocked(connection, org, lock, found.map(|(seq, ..)| seq))?;
    }
    match found {
        None => execute(
            connection,
            "INSERT INTO object
             (org, kind, id, parent, tag, created_at, lock, due_at, leased, version, fence, body, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12, 1, ifnull(?9, 0), ?10, ?11)",
            params![
                org_text,
                kind_text,
                id,
                parent,
                tag,
                created_at,
                lock,
                due_at,
                fence,
                &body[..],
                state.as_deref(),
                leased
            ],
        )?,
        // An index is written when a column of it is named, changed or not: so as few as possible are. A lease stays
        // one while its end stays.
        Some((seq, _, true, true)) => execute(
            connection,
            "UPDATE object SET leased = leased OR ?5,
             version = version + 1, fence = ifnull(?2, fence), body = ?3, state = ?4 WHERE seq = ?1",
            params![seq, fence, &body[..], state.as_deref(), leased],
        )?,
        Some((seq, _, true, false)) => execute(
            connection,
            "UPDATE object SET lock = ?5, due_at = ?6, leased = ?7 OR leased AND due_at IS ?6,
             version = version + 1, fence = ifnull(?2, fence), body = ?3, state = ?4 WHERE seq = ?1",
            params![seq, fence, &body[..], state.as_deref(), lock, due_at, leased],
        )?,
        Some((seq, _, false, _)) => execute(
            connection,
            "UPDATE object SET parent = ?5, tag = ?6, created_at = ?7, lock = ?8, due_at = ?9,
             leased = ?10 OR leased AND due_at IS ?9,
             version = version + 1, fence = ifnull(?2, fence), body = ?3, state = ?4 WHERE seq = ?1",
            params![seq, fence, &body[..], state.as_deref(), parent, tag, created_at, lock, due_at, leased],
        )?,
    };
    Ok(())
}

fn present(found: bool, kind: Kind, id: &str) -> Result<(), Failure> {
    if found { Ok(()) } else { Err(StoreError::Missing { kind, id: id.to_owned() }.into()) }
}

fn require_unlocked(
    connection: &Connection,
    org: &Organization,
    lock: &str,
    own: Option<i64>,
) -> Result<(), Failure> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM object WHERE org = ?1 AND lock = ?2 AND seq IS NOT ?3")?;
    let holder = statement.query_row(params![org.as_str(), lock, own], |row| row.get(0)).optional()?;
    match holder {
        Some(holder) => Err(StoreError::Locked { lock: lock.to_owned(), holder }.into()),
        None => Ok(()),
    }
}

/// Naming all the kinds lets the walk use the index of lists.
fn delete_tree_sql() -> String {
    let words = |kinds: &mut dyn Iterator<Item = &Kind>| {
        kinds.map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ")
    };
    let kinds = words(&mut Kind::ALL.iter());
    let parents = words(&mut Kind::ALL.iter().filter(|kind| kind.has_children()));
    format!(
        "WITH RECURSIVE tree (seq, id, kind) AS (
             SELECT seq, id, kind FROM object WHERE org = ?1 AND kind = ?2 AND id = ?3
             UNION
             SELECT child.seq, child.id, child.kind FROM tree CROSS JOIN object AS child
             WHERE tree.kind IN ({parents})
             AND child.org = ?1 AND child.kind IN ({kinds}) AND child.parent = tree.id
         )
         DELETE FROM object WHERE seq IN (SELECT seq FROM tree)"
    )
}

pub(super) fn claim(
    connection: &Connection,
    kind: Kind,
    now_ms: i64,
    lease_until_ms: i64,
    limit: usize,
) -> Result<Vec<(Organization, Document)>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS}, org, seq FROM object WHERE kind = ?1 AND due_at <= ?2 ORDER BY due_at, seq"
    );
    let mut due = connection.prepare_cached(&sql)?;
    let due = due.query_map(params![kind.as_str(), now_ms], |row| {
        Ok((Organization::new(row.get::<_, String>(8)?), document(kind, row)?, row.get::<_, i64>(9)?))
    })?;
    // All are read before the first is written: a row must not be met again at its new time.
    let due = due.take(limit).collect::<Result<Vec<_>, _>>()?;
    let take = |(org, mut document, seq): (_, Document, _)| {
        document.due_at = Some(lease_until_ms);
        document.fence = document.fence.wrapping_add(1);
        document.version = document.version.wrapping_add(1);
        let sql = "UPDATE object SET due_at = ?2, leased = TRUE, fence = ?3, version = ?4 WHERE seq = ?1";
        execute(connection, sql, [seq, lease_until_ms, document.fence as i64, document.version as i64])?;
        Ok((org, document))
    };
    whole(connection, || due.into_iter().map(take).collect())
}

pub(super) fn renew(connection: &Connection, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, Failure> {
    let renew = |lease: &Lease| {
        let changed = execute(
            connection,
            "UPDATE object SET due_at = :until
             WHERE org = :org AND kind = :kind AND id = :id AND fence = :fence AND version = :version
               AND due_at IS NOT NULL",
            named_params! {
                ":until": until_ms, ":org": lease.organization.as_str(), ":kind": lease.kind.as_str(),
                ":id": lease.id, ":fence": lease.fence as i64, ":version": lease.version as i64,
            },
        )?;
        Ok(changed > 0)
    };
    whole(connection, || leases.iter().map(renew).collect())
}

/// Makes due at once what somebody had a lease on: for who knows that nobody is left.
pub(super) fn release(connection: &Connection) -> Result<usize, Failure> {
    // All that is ever due is walked, which is little, and nothing else: an index for this would be written at each
    // renewal.
    let sql =
        "UPDATE object INDEXED BY object_due SET due_at = 0, leased = FALSE WHERE due_at > 0 AND leased";
    Ok(execute(connection, sql, [])?)
}
