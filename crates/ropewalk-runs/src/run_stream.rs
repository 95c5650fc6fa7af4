use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::{Stream, future::BoxFuture};
use parking_lot::Mutex;
use tokio::{runtime::Handle, time::Instant};
use tokio_util::task::TaskTracker;

use crate::feed::Feed;

/// The event stream of one run, as bytes for an SSE body.
///
/// Whoever polls it drives the run: the upstream's bytes become events in the reader's own task, with no channel
/// and no other task between. Dropped early, or not polled for a second although there is something to do, the run
/// goes on in a task of its own.
pub struct RunStream {
    feed: Arc<Feed>,
    seat: Arc<Seat>,
}

impl RunStream {
    pub(crate) fn new(feed: Arc<Feed>, driver: BoxFuture<'static, ()>, home: Home) -> Self {
        let seat = Seat { driver: Mutex::new(Some(driver)), bell: Arc::default(), feed: feed.clone(), home };
        Self { feed, seat: Arc::new(seat) }
    }

    pub(crate) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Stream for RunStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.seat.poll(context);
        self.feed.poll_take(context)
    }
}

impl Drop for RunStream {
    fn drop(&mut self) {
        self.feed.abandon();
        let driver = self.seat.driver.lock().take();
        self.seat.home.take_in(driver);
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream").field("feed", &self.feed).finish_non_exhaustive()
    }
}

/// Where a run's driver sits while its reader polls it.
pub(crate) struct Seat {
    /// `None` once the run is over or has a task of its own.
    driver: Mutex<Option<BoxFuture<'static, ()>>>,
    bell: Arc<Bell>,
    feed: Arc<Feed>,
    home: Home,
}

impl Seat {
    fn poll(&self, context: &mut Context<'_>) {
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
            self.feed.follow();
            self.home.take_in(seat.take());
        }
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
