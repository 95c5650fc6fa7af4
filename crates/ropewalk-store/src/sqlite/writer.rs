#[cfg(test)]
mod tests;

use std::{
    fs::File,
    sync::Arc,
    thread::{self, JoinHandle},
    vec::Drain,
};

use rusqlite::Connection;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{Failure, write::execute};
use crate::{Durability, StoreError};

/// Most writes that wait; more are turned away, so that a slow disk cannot fill the memory.
const QUEUE: usize = 4096;
/// Most writes of one transaction.
const GROUP: usize = 256;

/// A write: done inside a transaction that others share, it gives what to do when that has ended.
type Work = Box<dyn FnOnce(&Connection) -> Answer + Send>;
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
        let (reply, outcome) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| -> Answer {
            if reply.is_closed() {
                return Box::new(drop); // Nobody waits: a lease would be lost until it ends.
            }
            let outcome = work(connection);
            Box::new(move |lost| {
                let outcome = match lost {
                    None => outcome.map_err(StoreError::from),
                    Some(error) => Err(StoreError::Backend("sqlite", error.into())),
                };
                drop(reply.send(outcome));
            })
        });
        self.jobs.try_send(Job { durability, work }).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Closed(_) => Failure::from("the writer has stopped").into(),
        })?;
        outcome.await.unwrap_or_else(|_| Err(Failure::from("the write was given up").into()))
    }
}

fn run(connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut current = None;
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let done =
            prepare(&connection, &group, &mut current).and_then(|()| commit(&connection, group.drain(..)));
        group.clear();
        if let Err(error) = done {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot write to the database");
        }
    }
}

/// Has the next transaction synced to disk if one of its writes asks for it.
fn prepare(connection: &Connection, group: &[Job], current: &mut Option<Durability>) -> rusqlite::Result<()> {
    let synced = group.iter().any(|job| job.durability == Durability::Synced);
    let (wanted, sql) = match synced {
        true => (Durability::Synced, "PRAGMA synchronous = FULL"),
        false => (Durability::Written, "PRAGMA synchronous = NORMAL"),
    };
    if *current != Some(wanted) {
        connection.execute_batch(sql)?;
        *current = Some(wanted);
    }
    Ok(())
}

/// Does all the work in one transaction, then answers each. Work that is not reached is answered by its drop.
fn commit(connection: &Connection, group: Drain<'_, Job>) -> rusqlite::Result<()> {
    execute(connection, "BEGIN IMMEDIATE", [])?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push((job.work)(connection));
        if connection.is_autocommit() {
            break; // SQLite undid the transaction: what came next would not be atomic.
        }
    }
    let lost = execute(connection, "COMMIT", []).err().map(Arc::new);
    if lost.is_some() && !connection.is_autocommit() {
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
