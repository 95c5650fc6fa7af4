#[cfg(test)]
mod tests;

use std::{
    fs::File,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
    vec::Drain,
};

use rusqlite::Connection;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{Failure, write::execute};
use crate::{Durability, StoreError, measures};

/// Most writes that wait; more are turned away, so that a slow disk cannot fill the memory.
const QUEUE: usize = 4096;
/// Most writes of one transaction.
const GROUP: usize = 256;

/// A write: done inside a transaction that others share, it gives what to do when that has ended.
///
/// It is not done, but answered, if there is no connection.
type Work = Box<dyn FnOnce(Option<&Connection>) -> Answer + Send>;
/// Tells the waiter, with the error that undid the transaction if it was undone.
type Answer = Box<dyn FnOnce(Option<Arc<rusqlite::Error>>)>;

struct Job {
    durability: Durability,
    work: Work,
}

/// The one thread that writes.
pub(super) struct Writer {
    // Dropped in this order: the thread ends when the queue is closed and empty.
    jobs: mpsc::Sender<Job>,
    _thread: Joined,
}

impl Writer {
    /// Holds `lock`, if there is one, until the connection is closed.
    pub(super) fn start(connection: Connection, lock: Option<File>) -> Result<Self, Failure> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let run = move || {
            run(connection, jobs);
            drop(lock);
        };
        let thread = thread::Builder::new().name("ropewalk-store".to_owned()).spawn(run)?;
        Ok(Self { jobs: sender, _thread: Joined(Some(thread)) })
    }

    /// Does `work` as part of the next transaction and waits for its end.
    ///
    /// `work` must leave nothing behind if it fails. If the caller goes away, it happens wholly or not at all.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let (reply, outcome) = oneshot::channel();
        let work = Box::new(move |connection: Option<&Connection>| -> Answer {
            if reply.is_closed() {
                return Box::new(drop); // Nobody waits: a lease would be lost until it ends.
            }
            let outcome = connection.map_or_else(|| Err(given_up()), work);
            Box::new(move |lost| {
                let outcome = match (outcome, lost) {
                    (outcome, None) => outcome,
                    // It may be what undid the transaction.
                    (Err(full @ Failure(StoreError::NoSpace(_))), _) => Err(full),
                    (_, Some(error)) => Err(error.into()),
                };
                drop(reply.send(outcome.map_err(StoreError::from)));
            })
        });
        self.jobs.try_send(Job { durability, work }).map_err(|error| match error {
            TrySendError::Full(_) => {
                measures::refused();
                StoreError::Busy
            }
            TrySendError::Closed(_) => Failure::from("the writer has stopped").into(),
        })?;
        let outcome = outcome.await.unwrap_or_else(|_| Err(given_up().into()));
        measures::written(begun.elapsed());
        outcome
    }
}

fn given_up() -> Failure {
    "the write was given up".into()
}

fn run(connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut current = None;
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let at = Instant::now();
        let begun = begin(&connection, &group, &mut current);
        if let Err(error) = commit(&connection, at, begun, group.drain(..)) {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot write to the database");
        }
    }
}

/// Begins a transaction, which is synced to disk if one of its writes asks for that.
fn begin(connection: &Connection, group: &[Job], current: &mut Option<Durability>) -> rusqlite::Result<()> {
    let synced = group.iter().any(|job| job.durability == Durability::Synced);
    let (wanted, sql) = match synced {
        true => (Durability::Synced, "PRAGMA synchronous = FULL"),
        false => (Durability::Written, "PRAGMA synchronous = NORMAL"),
    };
    if *current != Some(wanted) {
        connection.execute_batch(sql)?;
        *current = Some(wanted);
    }
    execute(connection, "BEGIN IMMEDIATE", []).map(drop)
}

/// Does all the work in the transaction that was begun `at` some time, ends it, then answers each.
fn commit(
    connection: &Connection,
    at: Instant,
    begun: rusqlite::Result<()>,
    group: Drain<'_, Job>,
) -> rusqlite::Result<()> {
    // Where SQLite undid the transaction, what came next would not be atomic.
    let open = || Some(connection).filter(|connection| !connection.is_autocommit());
    let answers: Vec<_> = group.map(|job| (job.work)(open())).collect();
    let lost = begun.and_then(|()| execute(connection, "COMMIT", [])).err().map(Arc::new);
    measures::committed(answers.len(), at.elapsed(), lost.is_none());
    if lost.is_some() && open().is_some() {
        execute(connection, "ROLLBACK", [])?;
    }
    answers.into_iter().for_each(|answer| answer(lost.clone()));
    Ok(())
}

/// Waits for the thread when dropped.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            drop(thread.join());
        }
    }
}
