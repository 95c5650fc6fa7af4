//! What of the store outlives a loss of power at any moment.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod check;
mod workload;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use ropewalk_power_loss::Syncs;

use workload::Workload;

/// Histories, and for each as many moments at which the power goes.
const SEEDS: u64 = 200;
const CUTS: usize = 4;

/// Tries many cuts; gives the first that left something wrong.
fn try_cuts(seeds: std::ops::Range<u64>, syncs: Syncs) -> Result<(), String> {
    for seed in seeds {
        let mut chance = StdRng::seed_from_u64(seed);
        let workload = Workload::run(&mut chance);
        for cut in 0..CUTS {
            let steps = match cut {
                0 => workload.recording.steps(),
                _ => chance.random_range(0..=workload.recording.steps()),
            };
            let found = check::after_cut(&workload, steps, syncs, &mut chance);
            found.map_err(|wrong| format!("seed {seed}, cut {cut} after {steps} steps: {wrong}"))?;
        }
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_as_synced_outlives_the_power_and_every_batch_is_whole() {
    try_cuts(0..SEEDS, Syncs::Kept).unwrap();
}

#[test]
fn a_disk_that_fakes_its_syncs_is_found_out() {
    try_cuts(0..SEEDS, Syncs::Faked).unwrap_err();
}
