use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
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
/// and no other task between. Dropped early, or not polled for a second, the run goes on in a task of its own.
pub struct RunStream {
    feed: Arc<Feed>,
    seat: Arc<Seat>,
}

impl RunStream {
    pub(crate) fn new(feed: Arc<Feed>, driver: BoxFuture<'static, ()>, home: Home) -> Self {
        let driving = Driving { driver: Some(driver), polled_at: Instant::now() };
        Self { feed: feed.clone(), seat: Arc::new(Seat { driving: Mutex::new(driving), feed, home }) }
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
        let driver = self.seat.driving.lock().driver.take();
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
    driving: Mutex<Driving>,
    feed: Arc<Feed>,
    home: Home,
}

struct Driving {
    /// `None` once the run is over or has a task of its own.
    driver: Option<BoxFuture<'static, ()>>,
    polled_at: Instant,
}

impl Seat {
    fn poll(&self, context: &mut Context<'_>) {
        let mut driving = self.driving.lock();
        driving.polled_at = Instant::now();
        if let Some(driver) = &mut driving.driver
            && driver.as_mut().poll(context).is_ready()
        {
            driving.driver = None;
        }
    }

    /// Gives the run a task of its own if its reader has not polled it for `patience`: a reader that stops
    /// reading must not stop the run.
    pub(crate) fn relieve(&self, patience: Duration) {
        // A lock that is taken means that the reader polls right now.
        let Some(mut driving) = self.driving.try_lock() else { return };
        if driving.driver.is_some() && driving.polled_at.elapsed() >= patience {
            self.feed.follow();
            self.home.take_in(driving.driver.take());
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
