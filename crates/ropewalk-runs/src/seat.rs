//! Where the driver of a run sits while its first reader polls it, and where it goes when that leaves.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures_core::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;

/// How long a reader may take to poll a run that is to be stopped: well below the 100 ms within which it has to be.
const SOON: Duration = Duration::from_millis(20);

/// The place of a run's driver in the task of its reader.
pub(crate) struct Seat {
    /// `None` once the run is over or has a task of its own.
    driver: Mutex<Option<BoxFuture<'static, ()>>>,
    bell: Arc<Bell>,
    home: Home,
}

impl Seat {
    pub(crate) fn new(driver: BoxFuture<'static, ()>, home: Home) -> Arc<Self> {
        Arc::new(Self { driver: Mutex::new(Some(driver)), bell: Arc::default(), home })
    }

    /// Lets the driver work in the reader's task.
    pub(crate) fn poll(&self, context: &mut Context<'_>) {
        let mut seat = self.driver.lock();
        // Out of its seat while it is polled: a driver that panics is not polled again.
        let Some(mut driver) = seat.take() else { return };
        self.bell.listen(context.waker());
        let waker = Waker::from(self.bell.clone());
        if driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            *seat = Some(driver);
        }
    }

    /// Gives the run a task of its own if it has had something to do for `patience` and its reader did not poll
    /// it: a reader that stops reading must not stop the run.
    pub(crate) fn relieve(&self, patience: Duration) {
        // A lock that is taken means that the reader polls right now.
        let Some(mut seat) = self.driver.try_lock() else { return };
        if seat.is_some() && self.bell.has_rung_for(patience) {
            self.home.take_in(seat.take());
        }
    }

    /// Gives the run a task of its own unless its reader polls it soon: what it was told cannot wait for that.
    pub(crate) async fn relieve_soon(&self) {
        sleep(SOON).await;
        self.relieve(SOON / 2);
    }

    /// Gives the run a task of its own: its reader is gone.
    pub(crate) fn leave(&self) {
        let driver = self.driver.lock().take();
        self.home.take_in(driver);
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

/// Wakes the reader when its run has something to do, and knows since when it has not come.
#[derive(Default)]
struct Bell(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    reader: Option<Waker>,
    rung_at: Option<Instant>,
}

impl Bell {
    /// The reader is here: from now on a ring is a new one.
    fn listen(&self, reader: &Waker) {
        let mut ring = self.0.lock();
        ring.rung_at = None;
        match &mut ring.reader {
            Some(known) => known.clone_from(reader),
            None => ring.reader = Some(reader.clone()),
        }
    }

    fn has_rung_for(&self, patience: Duration) -> bool {
        self.0.lock().rung_at.is_some_and(|at| at.elapsed() >= patience)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ring = self.0.lock();
        ring.rung_at.get_or_insert_with(Instant::now);
        if let Some(reader) = &ring.reader {
            reader.wake_by_ref();
        }
    }
}

/// Where drivers without a reader live: a runtime, and the tracker that waits for them at shutdown.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) tasks: TaskTracker,
    pub(crate) runtime: Handle,
}

impl Home {
    pub(crate) fn take_in(&self, driver: Option<BoxFuture<'static, ()>>) {
        if let Some(driver) = driver {
            self.tasks.spawn_on(driver, &self.runtime);
        }
    }
}
