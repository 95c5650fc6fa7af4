#![doc = include_str!("../README.md")]

mod chat;
mod doctor;
mod interpreter;
mod keys;
mod limits;
mod metrics;
mod serve;
mod settings;
mod telemetry;
mod transfer;
mod upstream;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use telemetry::Telemetry;

/// A self-hosted runtime for the Assistants API.
#[derive(Debug, Parser)]
#[command(name = "ropewalk", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    telemetry: Telemetry,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API over HTTP.
    Serve(Box<serve::Serve>),
    /// Makes, lists and revokes the keys of those who may call.
    Keys(keys::Keys),
    /// Makes, lists and deletes webhooks, which are told of runs.
    Webhooks(webhooks::Webhooks),
    /// Makes the Python environment that code of models runs in.
    Interpreter(interpreter::Interpreter),
    /// Says whether code of models can run here, and why not.
    Doctor(doctor::Doctor),
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telling = cli.telemetry.start(runtime.handle())?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await?,
            Command::Keys(keys) => keys.run().await?,
            Command::Webhooks(webhooks) => webhooks.run().await?,
            Command::Interpreter(interpreter) => interpreter.run().await?,
            Command::Doctor(doctor) => return doctor.run().await,
            Command::Chat(chat) => chat.run().await?,
            Command::Export(export) => return export.run().await,
            Command::Import(import) => return import.run().await,
        }
        Ok(ExitCode::SUCCESS)
    });
    telling.stop();
    done
}
