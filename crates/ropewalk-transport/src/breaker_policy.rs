use std::time::Duration;

/// When a server is left alone for a while, and for how long.
///
/// The rule: `failures` calls that failed in a row, each within `window` of the one before and with no whole answer
/// between them, open the circuit, and then nothing is sent. When its time is over, one call goes through as a probe. If
/// that is answered, all may call again; if it fails, the circuit opens for twice as long, up to `max_open`. Each time
/// is shortened by chance to no less than 75 %, so that many processes do not come back at once. Until an answer has
/// come whole, one more failure is enough to open the circuit again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// Failures in a row that open the circuit; 5 unless set, 0 counts as 1.
    pub failures: u32,
    /// What failed longer ago than this is forgotten; 300 s unless set.
    pub window: Duration,
    /// How long it is open at first; 1 s unless set.
    pub open: Duration,
    /// How long it is open at most, and how long a probe is waited for before another call takes its place; 30 s
    /// unless set.
    pub max_open: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(300),
            open: Duration::from_secs(1),
            max_open: Duration::from_secs(30),
        }
    }
}

impl BreakerPolicy {
    /// Sets how many failures in a row open the circuit.
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Sets after how long a failure is forgotten, if no other one follows.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the first and the longest time for which it is open.
    #[must_use]
    pub fn open(mut self, open: Duration, max_open: Duration) -> Self {
        (self.open, self.max_open) = (open, max_open);
        self
    }

    /// How long the circuit is open after `openings` earlier ones with no whole answer between them; `jitter` in
    /// `0.0..=1.0` shortens it by up to a quarter.
    pub(crate) fn time(&self, openings: u32, jitter: f64) -> Duration {
        let full = self.open.saturating_mul(2_u32.saturating_pow(openings)).min(self.max_open);
        let seconds = full.as_secs_f64() * (1.0 - 0.25 * jitter.clamp(0.0, 1.0));
        // Never zero: who is refused waits, and does not spin.
        Duration::try_from_secs_f64(seconds).unwrap_or(full).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_doubles_up_to_its_maximum_and_is_never_zero() {
        let policy = BreakerPolicy::default();
        let time = |openings, jitter| policy.time(openings, jitter).as_millis();
        assert_eq!([0, 1, 2, 4, 5, 90].map(|n| time(n, 0.0)), [1000, 2000, 4000, 16_000, 30_000, 30_000]);
        assert_eq!([0, 1, 90].map(|n| time(n, 1.0)), [750, 1500, 22_500]);
        assert_eq!(policy.open(Duration::ZERO, Duration::ZERO).time(0, 1.0), Duration::from_millis(1));
    }
}
