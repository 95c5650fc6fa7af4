//! Worlds of faults, and the bugs that they have to find.

mod mutations;

use clap::Args;

use crate::process::{cargo, command, run, target};
pub(crate) use mutations::check as find_planted_bugs;

/// Runs the engine in simulated worlds of faults; see simulation/README.md.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many worlds.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One world only, with all that happens in it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Plants bugs in a copy of the sources, one at a time, and proves that each is found.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    mutations: bool,
}

impl Simulate {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.mutations {
            return find_planted_bugs();
        }
        run(&mut cargo(&["build", "--release", "--quiet", "--package", "ropewalk-simulation"]))?;
        let mut simulate = command(target().join("release/ropewalk-simulate"));
        match self.seed {
            Some(seed) => simulate.args(["--seed", &seed.to_string()]),
            None => simulate.args(["--seeds", &self.seeds.to_string(), "--from", &self.from.to_string()]),
        };
        run(&mut simulate)
    }
}
