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
use tokio::{sync::Notify, time::Instant};

use crate::{measures, record};

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
pub(crate) struct Lines(Mutex<Standers>);

#[derive(Debug, Default)]
struct Standers {
    lines: HashMap<Key, BTreeMap<Place, Arc<Bell>>>,
    /// How many stand in all lines, and in those of each organisation.
    all: usize,
    of: HashMap<Organization, usize>,
}

/// Calls one who stands in a line.
#[derive(Debug)]
struct Bell {
    rings: Notify,
    since: Instant,
}

impl Lines {
    /// Stands in the line of `thread` until the place is dropped.
    pub(crate) fn stand(self: &Arc<Self>, key: Key, place: Place) -> Standing {
        let bell = Arc::new(Bell { rings: Notify::new(), since: Instant::now() });
        let mut standers = self.0.lock();
        // An older execution of the same run gives way.
        let older = standers.lines.entry(key.clone()).or_default().insert(place.clone(), bell.clone());
        if older.is_none() {
            standers.all += 1;
            *standers.of.entry(key.0.clone()).or_default() += 1;
            measures::queued(1);
        }
        drop(standers);
        Standing { lines: self.clone(), key, place, bell }
    }

    /// How many stand in the lines of this process, and how many of them are of `organization`.
    pub(crate) fn standing(&self, organization: &Organization) -> (usize, usize) {
        let standers = self.0.lock();
        (standers.all, standers.of.get(organization).copied().unwrap_or_default())
    }

    /// Since when the one stands that stands longest.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let standers = self.0.lock();
        standers.lines.values().flat_map(BTreeMap::values).map(|bell| bell.since).min()
    }

    /// Calls the first of this process who waits for `thread`.
    pub(crate) fn call(&self, organization: &Organization, thread: &ThreadId) {
        let standers = self.0.lock();
        if standers.lines.is_empty() {
            return;
        }
        let line = standers.lines.get(&(organization.clone(), thread.clone()));
        if let Some((_, bell)) = line.and_then(BTreeMap::first_key_value) {
            bell.rings.notify_one();
        }
    }
}

/// One who stands in a line.
#[derive(Debug)]
pub(crate) struct Standing {
    lines: Arc<Lines>,
    key: Key,
    place: Place,
    bell: Arc<Bell>,
}

impl Standing {
    /// Waits for a call.
    pub(crate) async fn called(&self) {
        self.bell.rings.notified().await;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut standers = self.lines.0.lock();
        let standers = &mut *standers;
        let Some(line) = standers.lines.get_mut(&self.key) else { return };
        // A later execution of the same run may stand here by now.
        if line.get(&self.place).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
            line.remove(&self.place);
            standers.all -= 1;
            measures::queued(-1);
            if let Some(own) = standers.of.get_mut(&self.key.0) {
                *own -= 1;
                if *own == 0 {
                    standers.of.remove(&self.key.0);
                }
            }
        }
        if line.is_empty() {
            standers.lines.remove(&self.key);
        }
    }
}
