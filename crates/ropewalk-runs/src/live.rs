use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use ropewalk_store::{Kind, Lease, Organization};
use ropewalk_types::RunId;
use tokio::sync::Notify;

use crate::{event_log::EventLog, measures, seat::Seat};

/// A run that this process drives right now.
#[derive(Debug)]
pub(crate) struct Live {
    /// Somebody changed the run in the store: look at it.
    pub(crate) poke: Notify,
    log: Arc<EventLog>,
    organization: Organization,
    fence: u64,
    version: AtomicU64,
    seat: Mutex<Weak<Seat>>,
}

impl Live {
    pub(crate) fn new(organization: Organization, fence: u64, version: u64, log: Arc<EventLog>) -> Arc<Self> {
        Arc::new(Self {
            poke: Notify::new(),
            log,
            organization,
            fence,
            version: AtomicU64::new(version),
            seat: Mutex::new(Weak::new()),
        })
    }

    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    pub(crate) fn saw(&self, version: u64) {
        self.version.store(version, Ordering::Release);
    }

    /// The lease on `run`, at the version that was seen last.
    pub(crate) fn lease(&self, run: &RunId) -> Lease {
        Lease {
            organization: self.organization.clone(),
            kind: Kind::Run,
            id: run.as_str().to_owned(),
            fence: self.fence,
            version: self.version.load(Ordering::Acquire),
        }
    }

    pub(crate) fn sit(&self, seat: &Arc<Seat>) {
        *self.seat.lock() = Arc::downgrade(seat);
    }

    pub(crate) fn seat(&self) -> Option<Arc<Seat>> {
        self.seat.lock().upgrade()
    }
}

/// All runs that this process drives right now.
#[derive(Debug, Default)]
pub(crate) struct LiveRuns(Mutex<BTreeMap<RunId, Arc<Live>>>);

impl LiveRuns {
    /// Adds `live`, unless a later execution of the same run is here: what was made or claimed first may begin last,
    /// where its commit was answered so late that the worker took it over meanwhile.
    pub(crate) fn insert(&self, run: RunId, live: Arc<Live>) {
        let lost = match self.0.lock().entry(run) {
            Entry::Vacant(place) => {
                place.insert(live);
                measures::active(1);
                return;
            }
            Entry::Occupied(place) if place.get().fence > live.fence => live,
            Entry::Occupied(mut place) => place.insert(live),
        };
        // It was taken over in its own process: nobody renews its lease any more, so nothing else would tell it.
        lost.poke.notify_one();
    }

    /// Forgets `live`, but not a later execution of the same run.
    pub(crate) fn remove(&self, run: &RunId, live: &Arc<Live>) {
        let mut runs = self.0.lock();
        if runs.get(run).is_some_and(|current| Arc::ptr_eq(current, live)) {
            runs.remove(run);
            measures::active(-1);
        }
    }

    /// Makes whoever drives `run` look at the store; gives who that is.
    pub(crate) fn poke(&self, run: &RunId) -> Option<Arc<Live>> {
        self.0.lock().get(run).inspect(|live| live.poke.notify_one()).cloned()
    }

    /// What is told of `run`, if it is driven here.
    pub(crate) fn log(&self, run: &RunId) -> Option<Arc<EventLog>> {
        self.0.lock().get(run).map(|live| live.log.clone())
    }

    pub(crate) fn all(&self) -> Vec<(RunId, Arc<Live>)> {
        self.0.lock().iter().map(|(run, live)| (run.clone(), live.clone())).collect()
    }

    /// The leases to renew, each beside its run.
    pub(crate) fn leases(&self) -> Vec<(Arc<Live>, Lease)> {
        let lease = |(run, live): (RunId, Arc<Live>)| {
            let lease = live.lease(&run);
            (live, lease)
        };
        self.all().into_iter().map(lease).collect()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_later_execution_stays_whichever_begins_first() {
        let run = RunId::from("run_1");
        let live = |fence| Live::new(Organization::new("org"), fence, 1, EventLog::new(0, 0, &[]));
        for later_first in [false, true] {
            let (older, later) = (live(1), live(2));
            let runs = LiveRuns::default();
            let order = if later_first { [&later, &older] } else { [&older, &later] };
            order.into_iter().for_each(|live| runs.insert(run.clone(), live.clone()));
            assert!(older.poke.notified().now_or_never().is_some(), "the older one hears that it is lost");
            runs.remove(&run, &older);
            let leases: Vec<u64> = runs.leases().iter().map(|(_, lease)| lease.fence).collect();
            assert_eq!(leases, [later.fence()], "the lease of the later one is renewed");
        }
    }
}
