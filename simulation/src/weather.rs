//! How bad a world is: which faults come, and how often.

use std::ops::Range;

use crate::random::Random;

/// What a seed decides before anything happens. Chances are in permille of calls unless they say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// Processes that run at once.
    pub(crate) processes: usize,
    pub(crate) threads: u64,
    pub(crate) clients: u64,
    /// What each client does.
    pub(crate) operations: Range<u64>,
    /// Seconds until a run expires.
    pub(crate) expiry: Range<u64>,
    /// A process dies before or after a call.
    pub(crate) crash: u64,
    /// A process dies at a moment between calls, within so many milliseconds of its start; never if 0.
    pub(crate) crash_within_ms: u64,
    /// Milliseconds until a dead process is there again.
    pub(crate) restart_ms: Range<u64>,
    /// Times that the power is lost.
    pub(crate) power_losses: u64,
    /// Times that the clock jumps.
    pub(crate) jumps: u64,
    /// Milliseconds that the store takes, most of the time.
    pub(crate) store_ms: u64,
    /// The store takes much longer.
    pub(crate) store_slow: u64,
    /// The store fails in a way that a retry may mend.
    pub(crate) store_busy: u64,
    /// The store fails in a way that none mends.
    pub(crate) store_broken: u64,
    /// The store does what it was asked for, and says that it failed.
    pub(crate) store_lost_answer: u64,
    /// A turn of the model is none of a good kind.
    pub(crate) model_faults: u64,
    pub(crate) tool_faults: u64,
    /// How many runs an engine lets work, and wait to work, if that is few.
    pub(crate) admits: Option<(usize, usize)>,
    /// A process is stopped in good order, rather than killed.
    pub(crate) polite: u64,
    /// A client goes away before the answer.
    pub(crate) impatient: u64,
}

impl Weather {
    pub(crate) fn of(random: &Random) -> Self {
        let sometimes = |permille: u64, range: Range<u64>| {
            if random.permille(permille) { random.within(range) } else { 0 }
        };
        let crash = sometimes(600, 2..40);
        Self {
            processes: 1 + usize::from(random.permille(450)),
            threads: random.within(1..4),
            clients: random.within(1..4),
            operations: 3..random.within(6..14),
            expiry: if random.permille(300) { 2..12 } else { 15..45 },
            crash,
            crash_within_ms: sometimes(400, 500..12_000),
            restart_ms: if random.permille(800) { 0..1_500 } else { 0..9_000 },
            power_losses: sometimes(250, 1..4),
            jumps: sometimes(100, 1..4),
            store_ms: sometimes(600, 1..40),
            store_slow: sometimes(150, 2..15),
            store_busy: sometimes(300, 2..60),
            store_broken: sometimes(200, 2..30),
            store_lost_answer: sometimes(250, 2..40),
            model_faults: sometimes(800, 50..500),
            tool_faults: sometimes(600, 50..500),
            admits: random
                .permille(150)
                .then(|| (random.within(1..4) as usize, random.within(0..5) as usize)),
            polite: sometimes(300, 100..1000),
            impatient: sometimes(300, 10..150),
        }
    }

    /// Whether the store does what it should, and in good time.
    pub(crate) fn store_is_sound(&self) -> bool {
        self.store_slow + self.store_busy + self.store_broken + self.store_lost_answer == 0
    }
}
