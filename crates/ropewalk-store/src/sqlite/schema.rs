use rusqlite::{Connection, TransactionBehavior};

use super::Failure;
use crate::StoreError;

/// What each version adds to the one before. Released steps are never edited: a change is a new step.
const STEPS: &[&str] = &[
    "
    CREATE TABLE object (
        seq        INTEGER PRIMARY KEY, -- given at the first put
        org        TEXT NOT NULL,
        kind       TEXT NOT NULL,
        id         TEXT NOT NULL,
        parent     TEXT,
        tag        TEXT,
        created_at INTEGER NOT NULL,    -- Unix seconds
        lock       TEXT,
        due_at     INTEGER,             -- Unix milliseconds
        version    INTEGER NOT NULL,
        fence      INTEGER NOT NULL,
        body       BLOB NOT NULL,
        state      BLOB,
        place      INTEGER NOT NULL AS (seq) -- a page cannot be sought by a pair that ends in a primary key
    ) STRICT;
    CREATE UNIQUE INDEX object_key ON object (org, kind, id);
    CREATE INDEX object_list ON object (org, kind, parent, created_at, place);
    CREATE INDEX object_tag ON object (org, kind, parent, tag, created_at, place) WHERE tag IS NOT NULL;
    CREATE UNIQUE INDEX object_lock ON object (org, lock) WHERE lock IS NOT NULL;
    CREATE INDEX object_due ON object (kind, due_at) WHERE due_at IS NOT NULL;
",
    "
    CREATE TABLE counter (
        org   TEXT NOT NULL,
        name  TEXT NOT NULL,
        value INTEGER NOT NULL, -- never 0
        PRIMARY KEY (org, name)
    ) STRICT, WITHOUT ROWID;
",
    // Whether `due_at` is the end of a lease.
    "ALTER TABLE object ADD COLUMN leased INTEGER NOT NULL DEFAULT 0",
];

/// Whether the file lacks steps.
pub(super) fn is_old(connection: &Connection) -> Result<bool, Failure> {
    Ok(version(connection)? < STEPS.len())
}

fn version(connection: &Connection) -> Result<usize, Failure> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Brings the file to the newest schema, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    let mode =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    if mode != "wal" {
        return Err("the file system of the folder cannot hold a write-ahead log".into());
    }
    let found = version(connection)?;
    if found > STEPS.len() {
        return Err(StoreError::TooNew { found, known: STEPS.len() }.into());
    }
    for (step, sql) in STEPS.iter().enumerate().skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_the_first_release_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("test.db")).unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        let insert = "INSERT INTO object (org, kind, id, created_at, version, fence, body) VALUES ('a', 'run', 'b', 1, 1, 0, x'')";
        connection.execute_batch(insert).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        assert!(is_old(&connection).unwrap());
        migrate(&mut connection).unwrap();
        assert!(!is_old(&connection).unwrap());
        connection.execute_batch("INSERT INTO counter VALUES ('a', 'b', 1)").unwrap();
        let objects: i64 = connection.query_row("SELECT count(*) FROM object", [], |row| row.get(0)).unwrap();
        assert_eq!(objects, 1);
    }

    #[test]
    fn data_of_a_newer_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("test.db")).unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let Err(Failure(error)) = migrate(&mut connection) else { panic!("a newer schema was taken") };
        assert_eq!(error.to_string(), "the data has schema 99, this build knows schemas up to 3");
    }
}
