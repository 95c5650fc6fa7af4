#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use ropewalk_types::UnixSeconds;

/// Where the time comes from: the system, or a test.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;

    /// Whole seconds since 1970-01-01 UTC.
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now_ms().div_euclid(1000))
    }
}

/// The system's time as one [`SteadyClock`] of the whole process tells it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        static CLOCK: LazyLock<SteadyClock> = LazyLock::new(|| SteadyClock::new(SystemTime::now, elapsed()));
        CLOCK.now_ms()
    }
}

/// Time since some moment that nobody can set; the sleep of the machine counts where the system knows of it.
#[cfg(target_os = "linux")]
fn elapsed() -> impl Fn() -> Duration {
    || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Both are within their ranges: neither is negative, and a second has fewer than 2³² nanoseconds.
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

#[cfg(not(target_os = "linux"))]
fn elapsed() -> impl Fn() -> Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}

/// Wall time when the process began, and what has passed since: whoever sets the system's clock ends no lease and no
/// run.
///
/// It follows the wall by a hundredth of the time that passes, which makes good what an ordinary clock drifts; an hour's
/// jump is made good in four days, or by a restart. A run expires a hundredth of its time early at most.
pub struct SteadyClock {
    wall: Box<dyn Fn() -> SystemTime + Send + Sync>,
    elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
    shown: Mutex<Shown>,
}

/// What the clock showed last. Nanoseconds.
struct Shown {
    time: i64,
    elapsed: i64,
    is_off: bool,
}

/// The part of the time that passes by which the wall is followed.
const FOLLOW: i64 = 100;
/// How far the wall may be away before that is said.
const OFF: Duration = Duration::from_secs(5);

impl SteadyClock {
    /// A clock that starts at what `wall` says now and goes on with `elapsed`, which never goes back.
    pub fn new(
        wall: impl Fn() -> SystemTime + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let shown = Shown { time: since_1970(wall()), elapsed: nanoseconds(elapsed()), is_off: false };
        Self { wall: Box::new(wall), elapsed: Box::new(elapsed), shown: Mutex::new(shown) }
    }
}

impl Clock for SteadyClock {
    fn now_ms(&self) -> i64 {
        let (time, gap, is_news) = {
            let mut shown = self.shown.lock();
            let (wall, elapsed) = (since_1970((self.wall)()), nanoseconds((self.elapsed)()));
            let passed = elapsed.saturating_sub(shown.elapsed).max(0);
            let gap = wall.saturating_sub(shown.time.saturating_add(passed));
            let step = gap.clamp(-passed / FOLLOW, passed / FOLLOW);
            shown.time = shown.time.saturating_add(passed).saturating_add(step);
            shown.elapsed = shown.elapsed.max(elapsed);
            let is_off = gap.saturating_abs() > nanoseconds(OFF);
            let was_off = std::mem::replace(&mut shown.is_off, is_off);
            (shown.time, gap, (is_off != was_off).then_some(is_off))
        };
        match is_news {
            Some(true) => tracing::warn!(
                seconds = gap / 1_000_000_000,
                "the system's clock jumped: this process goes on with its own time, and follows slowly"
            ),
            Some(false) => tracing::info!("the time of this process is that of the system's clock again"),
            None => {}
        }
        time.div_euclid(1_000_000)
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").finish_non_exhaustive()
    }
}

/// A clock before 1970 is broken; the epoch keeps the server up and is visible in every object.
fn since_1970(time: SystemTime) -> i64 {
    nanoseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Good for 292 years.
fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
