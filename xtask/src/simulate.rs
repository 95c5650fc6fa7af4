//! Worlds of faults, and the bugs that they have to find.

mod mutations;

use std::path::Path;

use clap::Args;

use crate::process::{cargo, command, run, target};

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
            return mutations::check();
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

/// Runs a few thousand worlds with a program that is built, and proves that it finds planted bugs.
pub(crate) fn check(simulate: &Path) -> anyhow::Result<()> {
    run(command(simulate).args(["--seeds", "2500"]))?;
    mutations::check()
}
