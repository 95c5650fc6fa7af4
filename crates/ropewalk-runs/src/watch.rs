//! Waiting for a run to change.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use ropewalk_store::{Document, Scope};
use ropewalk_types::{RunId, ThreadId};
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, timeout_at},
};

use crate::{Engine, RunError};

/// Most who wait at once; who comes then is answered without waiting.
const MOST: usize = 10_000;
/// How often a waiter looks for itself, in case that the run is driven by another process.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Waits until the run's status is another than now, for `patience` at most; gives the run as it is stored then.
    /// A run that is over is given at once, and so is any while 10,000 wait: `false` says that nobody waited.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], also if it is deleted meanwhile; [`RunError::Store`].
    pub async fn changed(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        patience: Duration,
    ) -> Result<(Document, bool), RunError> {
        let watch = self.shared.watchers.watch(run);
        let (begun, document) = self.load(scope, thread, run).await?;
        let Some(watch) = watch.filter(|_| !begun.status.is_terminal()) else { return Ok((document, false)) };
        let deadline = Instant::now() + patience;
        loop {
            // Told of from here on: a change behind the look below is not missed.
            let told = watch.told();
            let (now, document) = self.load(scope, thread, run).await?;
            if now.status != begun.status || Instant::now() >= deadline {
                return Ok((document, true));
            }
            let look = deadline.min(Instant::now() + LOOK_AGAIN);
            // Told or not, the next look says.
            let _told = timeout_at(look, told).await;
        }
    }

    /// Waits until the run is over or gone, or it is past `deadline`.
    pub(crate) async fn over(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        deadline: Instant,
    ) -> Result<(), RunError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.changed(scope, thread, run, left).await {
                Ok((_, waited)) if waited && !left.is_zero() => {}
                Ok(_) | Err(RunError::NoRun(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Who waits for runs to change.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    all: usize,
    of: HashMap<RunId, (Arc<Notify>, usize)>,
}

impl Watchers {
    /// Tells those who wait for `run` to look again.
    pub(crate) fn tell(&self, run: &RunId) {
        let watched = self.0.lock();
        if watched.all > 0
            && let Some((bell, _)) = watched.of.get(run)
        {
            bell.notify_waiters();
        }
    }

    /// Waits for `run`; `None` if too many wait already.
    pub(crate) fn watch(self: &Arc<Self>, run: &RunId) -> Option<Watch> {
        let mut watched = self.0.lock();
        if watched.all >= MOST {
            return None;
        }
        watched.all += 1;
        let (bell, count) = watched.of.entry(run.clone()).or_default();
        *count += 1;
        Some(Watch { watchers: self.clone(), run: run.clone(), bell: bell.clone() })
    }
}

/// One who waits.
pub(crate) struct Watch {
    watchers: Arc<Watchers>,
    run: RunId,
    bell: Arc<Notify>,
}

impl Watch {
    /// Done once the run was changed after this call.
    pub(crate) fn told(&self) -> Notified<'_> {
        self.bell.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watchers.0.lock();
        watched.all -= 1;
        if let Some((_, count)) = watched.of.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                watched.of.remove(&self.run);
            }
        }
    }
}
