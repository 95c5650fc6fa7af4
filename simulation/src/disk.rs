//! What is stored, and what of it a loss of power takes away.

use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;
use ropewalk_store::{
    Backend, Batch, Document, Durability, Kind, Lease, MemoryBackend, Operation, Organization, StoreError,
};

use crate::random::Random;

/// One write, as it can be done again.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Commit(Organization, Batch),
    Claim { kind: Kind, now_ms: i64, until_ms: i64, limit: usize },
    Renew(Vec<Lease>, i64),
}

impl Write {
    fn is_synced(&self) -> bool {
        // Leases need not outlive the power, as their owners do not either.
        matches!(self, Self::Commit(_, batch) if batch.durability == Durability::Synced)
    }
}

/// The documents in memory, and all writes that led to them.
#[derive(Debug)]
pub(crate) struct Disk(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    tables: Arc<MemoryBackend>,
    writes: Vec<Write>,
    /// How many of them are synced.
    synced: usize,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { tables: Arc::default(), writes: Vec::new(), synced: 0 }))
    }

    pub(crate) fn tables(&self) -> Arc<MemoryBackend> {
        self.0.lock().tables.clone()
    }

    pub(crate) fn commit(&self, organization: &Organization, batch: &Batch) -> Result<(), StoreError> {
        now(self.tables().commit(organization, batch.clone()))?;
        self.wrote(Write::Commit(organization.clone(), batch.clone()));
        Ok(())
    }

    pub(crate) fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError> {
        let claimed = now(self.tables().claim(kind, now_ms, until_ms, limit))?;
        if !claimed.is_empty() {
            self.wrote(Write::Claim { kind, now_ms, until_ms, limit });
        }
        Ok(claimed)
    }

    pub(crate) fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        let held = now(self.tables().renew(leases, until_ms))?;
        self.wrote(Write::Renew(leases.to_vec(), until_ms));
        Ok(held)
    }

    /// Takes away some of the last writes, none of which was synced. Gives back what stays.
    pub(crate) fn lose_power(&self, random: &Random) -> Vec<Write> {
        let mut inner = self.0.lock();
        let kept = random.within(inner.synced as u64..inner.writes.len() as u64 + 1);
        inner.writes.truncate(kept as usize);
        inner.synced = inner.writes.len();
        let tables = Arc::new(MemoryBackend::default());
        for write in &inner.writes {
            redo(&tables, write);
        }
        inner.tables = tables;
        inner.writes.clone()
    }

    /// Makes a run due at once.
    pub(crate) fn free_lease(&self, organization: &Organization, run: &str, now_ms: i64) {
        let found = now(self.tables().get(organization, Kind::Run, run)).ok().flatten();
        let lease = found.map(|document| Lease {
            organization: organization.clone(),
            kind: Kind::Run,
            id: document.id,
            fence: document.fence,
            version: document.version,
        });
        // It is as it was read: nobody came between.
        let _freed = lease.map(|lease| self.renew(&[lease], now_ms));
    }

    pub(crate) fn next_due(&self, kind: Kind) -> Option<i64> {
        now(self.tables().next_due(kind)).ok().flatten()
    }

    fn wrote(&self, write: Write) {
        let mut inner = self.0.lock();
        let synced = write.is_synced();
        inner.writes.push(write);
        if synced {
            inner.synced = inner.writes.len();
        }
    }

    /// Whether a document holds this lock.
    pub(crate) fn is_locked(&self, organization: &Organization, lock: &str) -> bool {
        now(self.tables().commit(organization, Batch::new().require_unlocked(lock))).is_err()
    }

    pub(crate) fn counter(&self, organization: &Organization, name: &str) -> i64 {
        let found = now(self.tables().counters(organization, name, 1)).unwrap_or_default();
        found.get(name).copied().unwrap_or_default()
    }
}

fn redo(tables: &MemoryBackend, write: &Write) {
    // What was done once is done again: it cannot fail.
    let _done = match write.clone() {
        Write::Commit(organization, batch) => now(tables.commit(&organization, batch)),
        Write::Claim { kind, now_ms, until_ms, limit } => {
            now(tables.claim(kind, now_ms, until_ms, limit)).map(drop)
        }
        Write::Renew(leases, until_ms) => now(tables.renew(&leases, until_ms)).map(drop),
    };
}

/// The answer of a store in memory, which never waits.
pub(crate) fn now<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.now_or_never().unwrap_or(Err(StoreError::Busy))
}

/// A batch in a few words, for the trace.
pub(crate) fn in_words(batch: &Batch) -> String {
    let word = |operation: &Operation| match operation {
        Operation::Put(put) => {
            let status = serde_json::from_slice::<serde_json::Value>(&put.body).unwrap_or_default();
            let status = status.get("status").and_then(|status| status.as_str()).unwrap_or("-").to_owned();
            let waits = put.state.as_deref().is_some_and(|state| {
                let state = serde_json::from_slice::<serde_json::Value>(state).unwrap_or_default();
                state.get("waiting").is_some_and(|waiting| !waiting.is_null())
            });
            let fence = put.fence.map(|fence| format!(" fence {fence}")).unwrap_or_default();
            format!("{} {status}{}{fence} ({:?})", put.id, if waits { " waiting" } else { "" }, put.expect)
        }
        Operation::Delete(_, id) | Operation::DeleteTree(_, id) => format!("delete {id}"),
        Operation::Require(_, id) => format!("require {id}"),
        Operation::RequireVersion(_, id, version) => format!("require {id} v{version}"),
        Operation::RequireUnlocked(lock) => format!("require unlocked {lock}"),
        Operation::Add(name, delta) => format!("{name} {delta:+}"),
        Operation::DropCounters(prefix) => format!("drop {prefix}*"),
        Operation::RequireAtMost(name, limit) => format!("{name} <= {limit}"),
    };
    let words: Vec<_> = batch.operations.iter().map(word).collect();
    format!("{:?}: {}", batch.durability, words.join(", "))
}
