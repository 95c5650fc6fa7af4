use rusqlite::{Connection, OptionalExtension, params};

use super::{Failure, write::execute};
use crate::{Organization, StoreError};

/// The first `limit` counters, by name, whose names begin with `prefix`.
pub(super) fn read<All: FromIterator<(String, i64)>>(
    connection: &Connection,
    org: &Organization,
    prefix: &str,
    limit: usize,
) -> Result<All, Failure> {
    let sql = "SELECT name, value FROM counter WHERE org = ?1 AND name >= ?2 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([org.as_str(), prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // SQLite orders text by its bytes: those that begin alike stand together.
    let alike = |row: &rusqlite::Result<(String, i64)>| {
        row.as_ref().map_or(true, |(name, _)| name.starts_with(prefix))
    };
    Ok(rows.take_while(alike).take(limit).collect::<Result<_, _>>()?)
}

pub(super) fn add(
    connection: &Connection,
    org: &Organization,
    name: &str,
    delta: i64,
) -> Result<(), Failure> {
    let key = [org.as_str(), name];
    match value(connection, org, name)?.saturating_add(delta) {
        0 => execute(connection, "DELETE FROM counter WHERE org = ?1 AND name = ?2", key)?,
        sum => execute(connection, "REPLACE INTO counter VALUES (?1, ?2, ?3)", params![key[0], name, sum])?,
    };
    Ok(())
}

pub(super) fn remove(connection: &Connection, org: &Organization, prefix: &str) -> Result<(), Failure> {
    let found: Vec<_> = read(connection, org, prefix, usize::MAX)?;
    if let [(first, _), ..] = &found[..]
        && let [.., (last, _)] = &found[..]
    {
        let sql = "DELETE FROM counter WHERE org = ?1 AND name BETWEEN ?2 AND ?3";
        execute(connection, sql, [org.as_str(), first, last])?;
    }
    Ok(())
}

pub(super) fn require_at_most(
    connection: &Connection,
    org: &Organization,
    name: &str,
    limit: i64,
) -> Result<(), Failure> {
    if value(connection, org, name)? > limit {
        return Err(StoreError::OverLimit { counter: name.to_owned(), limit }.into());
    }
    Ok(())
}

fn value(connection: &Connection, org: &Organization, name: &str) -> Result<i64, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT value FROM counter WHERE org = ?1 AND name = ?2")?;
    Ok(statement.query_row([org.as_str(), name], |row| row.get(0)).optional()?.unwrap_or_default())
}
