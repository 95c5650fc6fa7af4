//! Worlds, and that they are what their seeds say.

use ropewalk_simulation::simulate;

#[test]
fn a_seed_is_a_world() {
    for seed in 0..40 {
        let once = simulate(seed, true);
        assert!(once.trace.len() > 10, "nothing happened in {seed}");
        // It does not matter what happened before, nor on which thread it happens.
        let again = std::thread::spawn(move || simulate(seed, true)).join().unwrap();
        assert_eq!(once, again);
    }
}

#[test]
fn a_world_is_the_same_if_nobody_takes_notes() {
    for seed in 40..60 {
        assert_eq!(simulate(seed, false).broken, simulate(seed, true).broken);
    }
}

#[test]
fn no_two_seeds_are_the_same_world() {
    assert_ne!(simulate(1, true).trace, simulate(2, true).trace);
}

#[test]
fn the_rules_hold() {
    for seed in 1_000_000..1_000_100 {
        let outcome = simulate(seed, false);
        assert_eq!(outcome.broken, None, "see it again: cargo xtask simulate --seed {seed}");
    }
}
