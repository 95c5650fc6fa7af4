#![doc = include_str!("../README.md")]

mod chat;
mod keys;
mod limits;
mod serve;
mod settings;
mod transfer;

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// A self-hosted runtime for the Assistants API.
#[derive(Debug, Parser)]
#[command(name = "ropewalk", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log: a level, or a filter such as `info,ropewalk_runs=debug`.
    #[arg(long, env = "ROPEWALK_LOG", default_value = "info", global = true)]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API over HTTP.
    Serve(serve::Serve),
    /// Makes, lists and revokes the keys of those who may call.
    Keys(keys::Keys),
    /// Talks to an assistant from the terminal, with a server or embedded.
    Chat(chat::Chat),
    /// Writes all that an organisation has to a folder.
    Export(transfer::Export),
    /// Takes in what `export` wrote, or what the hosted API or Azure's said.
    Import(transfer::Import),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // What to do is one line, whatever RUST_BACKTRACE says.
            eprintln!("ropewalk: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_new(&cli.log)?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await?,
            Command::Keys(keys) => keys.run().await?,
            Command::Chat(chat) => chat.run().await?,
            Command::Export(export) => return export.run().await,
            Command::Import(import) => return import.run().await,
        }
        Ok(ExitCode::SUCCESS)
    })
}
