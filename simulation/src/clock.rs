//! The time of a world, and what processes hold for it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use ropewalk_runs::Clock;
use tokio::time::Instant;

/// When worlds begin, in Unix milliseconds.
const BEGINNING: i64 = 1_800_000_000_000;

/// The clock on the wall: it follows tokio's paused time, and may jump.
#[derive(Debug)]
pub(crate) struct Wall {
    begun: Instant,
    ahead_ms: AtomicI64,
}

impl Wall {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), ahead_ms: AtomicI64::new(0) }
    }

    pub(crate) fn jump(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Milliseconds since the beginning as they really passed.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Clock for Wall {
    fn now_ms(&self) -> i64 {
        BEGINNING + self.elapsed_ms().cast_signed() + self.ahead_ms.load(Ordering::Relaxed)
    }
}

/// What a process takes for the time, as [`ropewalk_store::SteadyClock`] does: the wall's when the process began, and
/// what passed since.
#[derive(Debug)]
pub(crate) struct ProcessClock {
    wall: Arc<Wall>,
    ahead_ms: i64,
}

impl ProcessClock {
    pub(crate) fn new(wall: &Arc<Wall>) -> Self {
        Self { wall: wall.clone(), ahead_ms: wall.ahead_ms.load(Ordering::Relaxed) }
    }
}

impl Clock for ProcessClock {
    fn now_ms(&self) -> i64 {
        BEGINNING + self.wall.elapsed_ms().cast_signed() + self.ahead_ms
    }
}
