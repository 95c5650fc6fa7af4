use std::sync::mpsc::Sender;

use rusqlite::OpenFlags;
use tempfile::TempDir;

use super::*;
use crate::sqlite::connect;

/// A writer on a table with one column.
fn writer() -> (TempDir, Writer) {
    let folder = tempfile::tempdir().unwrap();
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(&folder.path().join("test.db"), access).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE number (value INTEGER)").unwrap();
    let writer = Writer::start(connection, None).unwrap();
    (folder, writer)
}

fn insert(value: i64) -> impl FnOnce(&Connection) -> Result<usize, Failure> + Send + 'static {
    move |connection| Ok(execute(connection, "INSERT INTO number VALUES (?1)", [value])?)
}

async fn sum(writer: &Writer) -> i64 {
    let sum = |connection: &Connection| {
        Ok(connection.query_row("SELECT total(value) FROM number", [], |row| row.get::<_, f64>(0))? as i64)
    };
    writer.write(Durability::Written, sum).await.unwrap()
}

/// Holds the writer inside a transaction until something is sent, so that what follows waits in the queue.
async fn hold(writer: &Arc<Writer>) -> Sender<()> {
    let (started, has_started) = oneshot::channel();
    let (release, released) = std::sync::mpsc::channel();
    let block = move |_: &Connection| {
        started.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    };
    let writer = Arc::clone(writer);
    tokio::spawn(async move { writer.write(Durability::Written, block).await.unwrap() });
    has_started.await.unwrap();
    release
}

#[tokio::test]
async fn a_synced_write_is_synced_and_a_written_one_is_not() {
    let (_folder, writer) = writer();
    for (durability, level) in
        [(Durability::Synced, 2), (Durability::Written, 1), (Durability::Written, 1), (Durability::Synced, 2)]
    {
        let read = |connection: &Connection| {
            Ok(connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(writer.write(durability, read).await.unwrap(), level);
    }
}

#[tokio::test]
async fn a_full_queue_turns_writes_away_and_keeps_what_it_took() {
    let (_folder, writer) = writer();
    let writer = Arc::new(writer);
    let release = hold(&writer).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..QUEUE {
        let writer = Arc::clone(&writer);
        waiting.spawn(async move { writer.write(Durability::Written, insert(1)).await });
    }
    while writer.jobs.capacity() > 0 {
        tokio::task::yield_now().await;
    }
    let error = writer.write(Durability::Written, insert(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy) && error.is_retryable());
    release.send(()).unwrap();
    assert!(waiting.join_all().await.iter().all(Result::is_ok));
    assert_eq!(sum(&writer).await, QUEUE as i64);
}

#[tokio::test]
async fn a_transaction_that_is_lost_fails_all_who_shared_it() {
    let (_folder, writer) = writer();
    let writer = Arc::new(writer);
    let release = hold(&writer).await;
    let give_up = |connection: &Connection| Ok(execute(connection, "ROLLBACK", [])?);
    let (first, second, third, ()) = tokio::join!(
        biased; // The writer goes on when all three wait.
        writer.write(Durability::Synced, insert(1)),
        writer.write(Durability::Synced, give_up),
        writer.write(Durability::Synced, insert(2)),
        async { release.send(()).unwrap() },
    );
    for lost in [first, second, third] {
        assert!(matches!(lost, Err(StoreError::Backend("sqlite", _))), "{lost:?}");
    }
    assert_eq!(sum(&writer).await, 0, "nothing of it is stored, and the writer goes on");
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_does_not_happen() {
    let (_folder, writer) = writer();
    let writer = Arc::new(writer);
    let release = hold(&writer).await;
    let other = Arc::clone(&writer);
    let task = tokio::spawn(async move { other.write(Durability::Written, insert(1)).await });
    while writer.jobs.capacity() == QUEUE {
        tokio::task::yield_now().await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    assert_eq!(sum(&writer).await, 0);
}
