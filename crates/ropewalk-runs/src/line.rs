//! The line of runs that wait for a thread: who stands where, and how the next one learns that it is its turn.
//!
//! The line is in the store, as a counter for each place, moved by the commits that store the runs: so it cannot
//! disagree with them. A run enters the line in one commit and tries the thread's lock in another; the run before it
//! gives the lock up and calls the next one then. Whichever of the two is first, the lock is not overlooked.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use ropewalk_store::{Batch, Organization, Scope, StoreError};
use ropewalk_types::{RunId, ThreadId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::record;

/// Most runs that wait for one thread.
const LONGEST: i64 = 100;

/// Where a run joins the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rank {
    /// Ahead of all that were queued: it interrupts.
    First,
    /// At the end.
    Last,
}

impl Rank {
    /// In the order of the ranks.
    fn word(self) -> &'static str {
        match self {
            Self::First => "0/",
            Self::Last => "1/",
        }
    }
}

/// One place in a line. Ids of runs grow with time, so the order of places is that of turns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) rank: Rank,
    pub(crate) run: RunId,
}

fn prefix(thread: &ThreadId) -> String {
    format!("{}waiting/", record::thread_counters(thread))
}

/// The counter of those who wait. It is not below [`prefix`], or else it would be taken for one of them.
pub(crate) fn length(thread: &ThreadId) -> String {
    format!("{}wait", record::thread_counters(thread))
}

fn name(thread: &ThreadId, place: &Place) -> String {
    format!("{}{}{}", prefix(thread), place.rank.word(), place.run)
}

/// Fails the batch if somebody waits: nobody may go past the line.
pub(crate) fn require_empty(batch: Batch, thread: &ThreadId) -> Batch {
    batch.require_at_most(length(thread), 0)
}

/// Joins the line, or fails the batch if that is full.
pub(crate) fn join(batch: Batch, thread: &ThreadId, place: &Place) -> Batch {
    batch.add(name(thread, place), 1).add(length(thread), 1).require_at_most(length(thread), LONGEST)
}

/// Leaves the line.
pub(crate) fn leave(batch: Batch, thread: &ThreadId, place: &Place) -> Batch {
    batch.add(name(thread, place), -1).add(length(thread), -1)
}

/// Who waits for `thread`, in the order of turns.
pub(crate) async fn waiting(scope: &Scope, thread: &ThreadId) -> Result<Vec<Place>, StoreError> {
    let prefix = prefix(thread);
    let place = |name: &String| {
        let place = name.strip_prefix(&prefix)?;
        [Rank::First, Rank::Last]
            .into_iter()
            .find_map(|rank| Some(Place { rank, run: RunId::new(place.strip_prefix(rank.word())?) }))
    };
    Ok(scope.counters(&prefix).await?.keys().filter_map(place).collect())
}

type Key = (Organization, ThreadId);

/// Those of the lines whom this process drives.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<Key, BTreeMap<Place, Arc<Notify>>>>);

impl Lines {
    /// Stands in the line of `thread` until the place is dropped.
    pub(crate) fn stand(self: &Arc<Self>, key: Key, place: Place) -> Standing {
        let bell = Arc::new(Notify::new());
        self.0.lock().entry(key.clone()).or_default().insert(place.clone(), bell.clone());
        Standing { lines: self.clone(), key, place, bell }
    }

    /// Calls the first of this process who waits for `thread`.
    pub(crate) fn call(&self, organization: &Organization, thread: &ThreadId) {
        let lines = self.0.lock();
        if lines.is_empty() {
            return;
        }
        let line = lines.get(&(organization.clone(), thread.clone()));
        if let Some((_, bell)) = line.and_then(BTreeMap::first_key_value) {
            bell.notify_one();
        }
    }
}

/// One who stands in a line.
#[derive(Debug)]
pub(crate) struct Standing {
    lines: Arc<Lines>,
    key: Key,
    place: Place,
    bell: Arc<Notify>,
}

impl Standing {
    /// Waits for a call.
    pub(crate) async fn called(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut lines = self.lines.0.lock();
        if let Some(line) = lines.get_mut(&self.key) {
            line.remove(&self.place);
            if line.is_empty() {
                lines.remove(&self.key);
            }
        }
    }
}
