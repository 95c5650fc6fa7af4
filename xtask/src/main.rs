//! The one door to the project's chores: `cargo xtask setup | demo | test | bench | chaos | simulate | codegen`.

mod bench;
mod chaos;
mod codegen;
mod conformance;
mod demo;
mod floors;
mod openapi;
mod process;
mod reference;
mod setup;
mod simulate;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what the tests need, below `target/`; quick when it is there.
    Setup,
    /// Plays a conversation on an embedded runtime, with its tool call and its answer streamed.
    Demo(demo::Demo),
    /// Passes every test; stops at the first that fails and says what to do.
    Test,
    /// Measures the server beside a floor and a bare upstream; prints the tables of docs/performance.md.
    Bench(bench::Bench),
    /// Kills the real server again and again under load; prints how soon its runs went on.
    Chaos(chaos::Chaos),
    /// Runs the engine in worlds of faults, each from a seed, and prints how many a second.
    Simulate(simulate::Simulate),
    /// Writes what follows from the endpoint table.
    Codegen {
        /// Only prove that it is fresh.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Demo(demo) => demo.run(),
        Command::Test => test::run(),
        Command::Bench(bench) => bench.run(),
        Command::Chaos(chaos) => chaos.run(),
        Command::Simulate(simulate) => simulate.run(),
        Command::Codegen { check } => codegen::run(check),
    };
    // What to do is the last that is read, whatever RUST_BACKTRACE says.
    done.inspect_err(|error| eprintln!("xtask: {error:#}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
