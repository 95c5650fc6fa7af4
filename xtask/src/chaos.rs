use clap::Args;

use crate::process::{cargo, command, run, target};

/// Kills the real server again and again under load.
#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// Clients at once, each with a run at work.
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// How often the server is killed.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Decides what upstream and clients do, and when the server is killed; another each time unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Kills the server as it is released: the times mean something then.
    #[arg(long)]
    release: bool,
}

impl Chaos {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let profile: &[&str] = if self.release { &["--release"] } else { &[] };
        // Each alone: together, cargo would build the server with features that only the other asks for.
        for package in ["ropewalk-cli", "ropewalk-chaos"] {
            run(cargo(&["build", "--package", package]).args(profile))?;
        }
        let programs = target().join(if self.release { "release" } else { "debug" });
        let mut chaos = command(programs.join("ropewalk-chaos"));
        chaos.arg("--ropewalk").arg(programs.join("ropewalk"));
        chaos.args(["--runs", &self.runs.to_string(), "--kills", &self.kills.to_string()]);
        if let Some(seed) = self.seed {
            chaos.args(["--seed", &seed.to_string()]);
        }
        run(&mut chaos)
    }
}
