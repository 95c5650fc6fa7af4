//! Measures `ropewalk serve` beside a bare upstream and a floor, all in one run on one machine; the SSE decoder beside
//! public ones; open streams, resumed streams, pages of long lists, requests that do little, leases, cold start, recovery
//! from a kill; sessions of the code interpreter beside ipykernel. Prints Markdown for docs/performance.md.
//!
//! All traffic stays on loopback, is bounded in count and time, and every process is ended with this one.

mod assistants;
mod cold_start;
mod connection;
mod decoders;
mod disk;
mod floor;
mod interpreter;
mod leases;
mod lists;
mod load;
mod open_streams;
mod recovery;
mod report;
mod requests;
mod resuming;
mod server;
mod steady_streams;
mod throughput;
mod upstream;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
struct Cli {
    /// The server to measure.
    #[arg(long, default_value = "target/release/ropewalk")]
    ropewalk: PathBuf,
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The environment of the code interpreter to measure; it is left out without one.
    #[arg(long, env = "ROPEWALK_INTERPRETER")]
    interpreter: Option<PathBuf>,
    /// A Python with ipykernel, to measure beside it.
    #[arg(long, env = "ROPEWALK_IPYKERNEL", default_value = "python3")]
    ipykernel: PathBuf,
    /// Only proves that all of it runs: the numbers mean nothing.
    #[arg(long)]
    quick: bool,
    /// Measures this section only; may be given more than once.
    #[arg(long, value_name = "SECTION")]
    only: Vec<Section>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The servers to measure beside, each a process of its own.
#[derive(Debug, Subcommand)]
enum Part {
    /// A Chat Completions server that streams a fixed answer.
    Upstream,
    /// The smallest server that does what a run asks for.
    Floor {
        /// The Chat Completions server.
        upstream: String,
        /// Where its database is.
        folder: PathBuf,
    },
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    Throughput,
    OpenStreams,
    SteadyStreams,
    Resuming,
    Pages,
    Requests,
    ColdStart,
    Leases,
    Recovery,
    Decoders,
    Interpreter,
}

/// How much to measure.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// One measurement of throughput, after a fifth of it to warm up.
    window: Duration,
    /// How many runs at once.
    at_once: &'static [usize],
    /// Streams held open.
    open_streams: usize,
    /// Streams that bring a token now and then.
    steady_streams: usize,
    /// When their memory is looked at, in seconds after all are open.
    looks: &'static [u64],
    /// Messages of the long thread.
    messages: usize,
    /// Runs at work when the server is killed.
    killed_runs: usize,
    /// Starts of the server.
    starts: usize,
    /// One measurement of a decoder.
    decoding: Duration,
    /// Sessions of the code interpreter, one after another, and cells in one.
    sessions: usize,
    /// Sessions that are idle at once.
    idle_sessions: usize,
    /// Sessions of others.
    others: usize,
}

impl Extent {
    fn new(seconds: u64, quick: bool) -> Self {
        if quick {
            return Self {
                window: Duration::from_millis(200),
                at_once: &[1, 16],
                open_streams: 100,
                steady_streams: 100,
                looks: &[1, 2, 3],
                messages: 2_000,
                killed_runs: 10,
                starts: 2,
                decoding: Duration::from_millis(10),
                sessions: 3,
                idle_sessions: 3,
                others: 1,
            };
        }
        Self {
            window: Duration::from_secs(seconds.max(1)),
            at_once: &[1, 16, 256],
            open_streams: 5_000,
            steady_streams: 1_000,
            looks: &[1, 2, 15, 30, 45, 60],
            messages: 100_000,
            killed_runs: 200,
            starts: 15,
            decoding: Duration::from_millis(300),
            sessions: 200,
            idle_sessions: 100,
            others: 5,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Upstream) => upstream::serve(),
        Some(Part::Floor { upstream, folder }) => floor::serve(upstream, &folder),
        None => measure(&cli),
    }
}

fn measure(cli: &Cli) -> anyhow::Result<()> {
    // What is started from here inherits it.
    rlimit::increase_nofile_limit(u64::MAX)?;
    // One thread makes the load: it shares the machine with what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = measure_sections(cli) => done,
            // Whoever stops it stops its servers too: they end when they are dropped.
            () = stop_signal()? => anyhow::bail!("stopped"),
        }
    })
}

/// Measures and reports all sections, or some only.
async fn measure_sections(cli: &Cli) -> anyhow::Result<()> {
    let Cli { ropewalk, only, .. } = cli;
    let extent = Extent::new(cli.seconds, cli.quick);
    for section in
        Section::value_variants().iter().filter(|section| only.is_empty() || only.contains(section))
    {
        match section {
            Section::Throughput => report::throughput(&throughput::measure(ropewalk, extent).await?),
            Section::OpenStreams => report::open_streams(&open_streams::measure(ropewalk, extent).await?),
            Section::SteadyStreams => {
                report::steady_streams(&steady_streams::measure(ropewalk, extent).await?)
            }
            Section::Resuming => report::resuming(&resuming::measure(ropewalk, extent).await?),
            Section::Pages => report::lists(&lists::measure(ropewalk, extent).await?),
            Section::Requests => report::requests(&requests::measure(ropewalk, extent).await?),
            Section::ColdStart => report::cold_start(&cold_start::measure(ropewalk, extent).await?),
            Section::Leases => {
                report::disk(disk::measure()?);
                report::leases(&leases::measure(extent).await?);
            }
            Section::Recovery => report::recovery(&recovery::measure(ropewalk, extent).await?),
            Section::Decoders => report::decoders(&decoders::measure(extent)?),
            Section::Interpreter => match &cli.interpreter {
                Some(environment) => {
                    let pythons = interpreter::Pythons { environment, ipykernel: &cli.ipykernel };
                    report::interpreter(&interpreter::measure(pythons, extent).await?);
                }
                None => eprintln!("no --interpreter: the code interpreter is not measured"),
            },
        }
    }
    Ok(())
}

/// Done when the process is asked to stop.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
