use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use proptest::{collection::vec, prelude::*};

use super::*;

const HOUR: i64 = 3_600_000;

/// A clock with the hands that move it: what passes, and how far the wall is set away. Milliseconds.
fn clock() -> (SteadyClock, Arc<[AtomicI64; 2]>) {
    let hands = Arc::new([AtomicI64::new(0), AtomicI64::new(0)]);
    let passed = |hands: &[AtomicI64; 2]| Duration::from_millis(hands[0].load(Relaxed) as u64);
    let (for_wall, for_elapsed) = (hands.clone(), hands.clone());
    let wall = move || {
        let set = for_wall[1].load(Relaxed);
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000) + passed(&for_wall);
        let away = Duration::from_millis(set.unsigned_abs());
        if set < 0 { start - away } else { start + away }
    };
    (SteadyClock::new(wall, move || passed(&for_elapsed)), hands)
}

#[test]
fn an_hour_set_forward_or_back_does_not_move_the_clock() {
    for jump in [-HOUR, HOUR] {
        let (clock, hands) = clock();
        let start = clock.now_ms();
        hands[1].store(jump, Relaxed);
        assert_eq!(clock.now_ms(), start);
        hands[0].store(100_000, Relaxed);
        assert_eq!(clock.now_ms() - start, 100_000 + jump.signum() * 1000, "a hundredth towards the wall");
        hands[0].store(101 * HOUR, Relaxed);
        assert_eq!(clock.now_ms() - start, 101 * HOUR + jump, "there in four days");
    }
}

#[test]
fn a_clock_that_drifts_is_followed() {
    let (clock, hands) = clock();
    let start = clock.now_ms();
    for second in 1..=10_000 {
        hands[0].store(second * 1000, Relaxed);
        hands[1].store(second / 20, Relaxed); // 50 parts in a million.
        assert_eq!(clock.now_ms() - start, second * 1000 + second / 20);
    }
}

proptest! {
    /// Whatever is done to the wall, the clock never goes back, nor faster or slower than by a hundredth.
    #[test]
    fn time_passes_evenly(moves in vec((0..100_000_i64, -2 * HOUR..2 * HOUR), 1..50)) {
        let (clock, hands) = clock();
        let mut before = clock.now_ms();
        for (passed, set) in moves {
            hands[0].fetch_add(passed, Relaxed);
            hands[1].store(set, Relaxed);
            let now = clock.now_ms();
            let shown = now - before;
            prop_assert!((shown - passed).abs() <= passed / 100 + 1, "{passed} ms took {shown}");
            prop_assert!(shown >= 0);
            before = now;
        }
    }
}

#[test]
fn the_systems_clock_tells_the_time() {
    let wall = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let now = SystemClock.now_ms();
    assert!((now - wall).abs() < 60_000 && SystemClock.now_ms() >= now);
}
