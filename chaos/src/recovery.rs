//! How long runs stand still when the server is killed.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Watches from outside which clients' runs are at work, and when each goes on after a kill.
///
/// A run goes on when a new event of it is read over a connection to the new server, or when its next model call reaches
/// the upstream: whichever is first.
#[derive(Debug, Default)]
pub(crate) struct Recovery(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Clients whose run is at work, as they were told.
    at_work: HashSet<usize>,
    /// Those whose run was at work when the server was killed, and has not gone on.
    still: HashSet<usize>,
    /// When the server was killed last.
    killed: Option<Instant>,
    /// When the one after it was started.
    started: Option<Instant>,
    measured: Measured,
}

/// What was measured so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) kills: usize,
    /// Runs that were at work at a kill, counted once for each.
    pub(crate) interrupted: usize,
    /// From the start of the new server until it took connections.
    pub(crate) starts: Vec<Duration>,
    /// From the start of the new server until a run went on.
    pub(crate) since_start: Vec<Duration>,
    /// From the kill until then.
    pub(crate) since_kill: Vec<Duration>,
}

impl Recovery {
    /// The server was killed.
    pub(crate) fn killed(&self) {
        let mut inner = self.0.lock();
        (inner.killed, inner.started) = (Some(Instant::now()), None);
        inner.still = inner.at_work.clone();
        inner.measured.kills += 1;
        inner.measured.interrupted += inner.still.len();
    }

    /// The next server is about to be started.
    pub(crate) fn starts(&self) {
        self.0.lock().started = Some(Instant::now());
    }

    /// It takes connections.
    pub(crate) fn listens(&self) {
        let mut inner = self.0.lock();
        let times = inner.started.map(|started| started.elapsed());
        inner.measured.starts.extend(times);
    }

    /// The run of `client` told of an `event` over a connection; whether that is to the server of today is `new`.
    pub(crate) fn told(&self, client: usize, event: &str, new: bool) {
        let mut inner = self.0.lock();
        // Names only: whoever watches all events of all runs must not be what they wait for.
        let status = event.strip_prefix("thread.run.").filter(|status| !status.contains('.'));
        let at_work =
            status.map(|status| matches!(status, "created" | "queued" | "in_progress" | "cancelling"));
        match at_work {
            Some(true) => inner.at_work.insert(client),
            Some(false) => inner.at_work.remove(&client),
            None => false,
        };
        if new {
            inner.goes_on(client);
        } else if at_work == Some(false) {
            // It came to rest before the kill, and the news came after it.
            inner.still.remove(&client);
        }
    }

    /// The upstream was called for the run of `client`.
    pub(crate) fn called(&self, client: usize) {
        self.0.lock().goes_on(client);
    }

    pub(crate) fn measured(&self) -> Measured {
        self.0.lock().measured.clone()
    }
}

impl Inner {
    fn goes_on(&mut self, client: usize) {
        let (Some(killed), Some(started)) = (self.killed, self.started) else { return };
        if self.still.remove(&client) {
            self.measured.since_kill.push(killed.elapsed());
            self.measured.since_start.push(started.elapsed());
        }
    }
}
