use clap::Args;

use crate::{
    process::{cargo, command, run, target},
    setup,
};

/// Measures the server beside a floor and a bare upstream.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only proves that all of it runs: the numbers mean nothing.
    #[arg(long)]
    quick: bool,
    /// Measures these sections only, such as `steady-streams`; `ropewalk-bench --help` lists them.
    #[arg(long, value_name = "SECTION")]
    only: Vec<String>,
}

impl Bench {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        setup::interpreters()?;
        // Each alone: together, cargo would build the server with features that only the bench asks for.
        for package in ["ropewalk-cli", "ropewalk-bench"] {
            run(&mut cargo(&["build", "--release", "--package", package]))?;
        }
        let programs = target().join("release");
        let mut bench = command(programs.join("ropewalk-bench"));
        bench.arg("--ropewalk").arg(programs.join("ropewalk")).args(["--seconds", &self.seconds.to_string()]);
        bench.arg("--interpreter").arg(setup::interpreter_folder());
        bench.arg("--ipykernel").arg(setup::kernel_python());
        for section in &self.only {
            bench.args(["--only", section]);
        }
        run(if self.quick { bench.arg("--quick") } else { &mut bench })
    }
}
