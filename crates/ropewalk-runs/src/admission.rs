//! How many runs are driven at once, and who comes next: organisations in turns, their runs in the order in which they
//! were made.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use ropewalk_store::Organization;
use ropewalk_types::RunId;
use tokio::{sync::oneshot, time::Instant};

use crate::measures;

/// The door that each run goes through before it works. Whoever waits outside is `queued`.
pub(crate) struct Admission {
    most_waiting: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    free: usize,
    waiting: usize,
    /// Each with the time since when it waits. Ids of runs grow with time, so their order is that of their making. No
    /// line is empty.
    lines: BTreeMap<Organization, BTreeMap<RunId, (Instant, oneshot::Sender<Permit>)>>,
    /// Those with a line, each once, the next first.
    turns: VecDeque<Organization>,
}

impl Admission {
    /// Lets `most` in at once, and as a rule not more than `most_waiting` wait.
    pub(crate) fn new(most: usize, most_waiting: usize) -> Arc<Self> {
        let inner = Inner { free: most, waiting: 0, lines: BTreeMap::new(), turns: VecDeque::new() };
        Arc::new(Self { most_waiting, inner: Mutex::new(inner) })
    }

    /// Whether a new run of `organization` should not even wait. So many `standing` runs, and so many of them its own, wait
    /// for their threads; one that `will_stand` there has to wait, though there may be free places. One organisation may
    /// fill half of the queue.
    pub(crate) fn is_full(
        &self,
        organization: &Organization,
        standing: (usize, usize),
        will_stand: bool,
    ) -> bool {
        let inner = self.inner.lock();
        let own = inner.lines.get(organization).map_or(0, BTreeMap::len) + standing.1;
        let waiting = inner.waiting + standing.0;
        (inner.free == 0 || will_stand)
            && (waiting >= self.most_waiting || own >= self.most_waiting.div_ceil(2))
    }

    /// Goes in, if that needs no waiting.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        self.inner.lock().take().then(|| {
            measures::waited(Duration::ZERO);
            Permit(self.clone())
        })
    }

    /// Since when the one waits that waits longest.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let inner = self.inner.lock();
        inner.lines.values().filter_map(|line| line.values().next()).map(|(since, _)| *since).min()
    }

    /// Stands in line, until the permit comes or the place is dropped.
    pub(crate) fn wait(self: &Arc<Self>, organization: &Organization, run: &RunId) -> Waiting {
        let (sender, permit) = oneshot::channel();
        let waiting = Waiting {
            admission: self.clone(),
            organization: organization.clone(),
            run: run.clone(),
            since: Instant::now(),
            permit,
        };
        let mut inner = self.inner.lock();
        if inner.take() {
            // The other end is here.
            let _sent = sender.send(Permit(self.clone()));
            return waiting;
        }
        let line = inner.lines.entry(organization.clone()).or_default();
        let first = line.is_empty();
        // An older execution of the same run gives way.
        let new = line.insert(run.clone(), (waiting.since, sender)).is_none();
        inner.waiting += usize::from(new);
        measures::queued(i8::from(new));
        if first {
            inner.turns.push_back(organization.clone());
        }
        drop(inner);
        waiting
    }

    /// Gives a place that came free to the next in line.
    fn pass_on(self: &Arc<Self>) {
        let mut inner = self.inner.lock();
        let Some(organization) = inner.turns.pop_front() else {
            inner.free += 1;
            return;
        };
        let Some(line) = inner.lines.get_mut(&organization) else { return };
        let next = line.pop_first();
        if line.is_empty() {
            inner.lines.remove(&organization);
        } else {
            inner.turns.push_back(organization);
        }
        inner.waiting -= usize::from(next.is_some());
        measures::queued(-i8::from(next.is_some()));
        drop(inner);
        // Whoever left meanwhile drops the permit, which passes it on.
        if let Some((_, (_, sender))) = next {
            let _left = sender.send(Permit(self.clone()));
        }
    }
}

impl Inner {
    /// Takes a free place. While somebody waits there is none.
    fn take(&mut self) -> bool {
        let left = self.free.checked_sub(1);
        self.free = left.unwrap_or_default();
        left.is_some()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        f.debug_struct("Admission")
            .field("free", &inner.free)
            .field("waiting", &inner.waiting)
            .finish_non_exhaustive()
    }
}

/// Lets one run work, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Admission>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

/// A place in the line.
#[derive(Debug)]
pub(crate) struct Waiting {
    admission: Arc<Admission>,
    organization: Organization,
    run: RunId,
    since: Instant,
    permit: oneshot::Receiver<Permit>,
}

impl Waiting {
    /// Waits for the permit; `None` if another execution of the same run took the place. May be given up and called
    /// again.
    pub(crate) async fn permit(&mut self) -> Option<Permit> {
        let permit = (&mut self.permit).await.ok();
        if permit.is_some() {
            measures::waited(self.since.elapsed());
        }
        permit
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.admission.inner.lock();
        let inner = &mut *inner;
        let Some(line) = inner.lines.get_mut(&self.organization) else { return };
        // Another execution of the same run may have taken the place.
        self.permit.close();
        if line.get(&self.run).is_some_and(|(_, sender)| sender.is_closed()) {
            line.remove(&self.run);
            inner.waiting -= 1;
            measures::queued(-1);
        }
        if line.is_empty() {
            inner.lines.remove(&self.organization);
            inner.turns.retain(|organization| *organization != self.organization);
        }
    }
}
