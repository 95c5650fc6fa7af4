#![doc = include_str!("../README.md")]

mod answer;
mod audit;
mod caller;
mod conversation;
mod faults;
mod reader;
mod recovery;
mod report;
mod server;
mod upstream;

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{bail, ensure};
use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use ropewalk_types::{AssistantId, CreateAssistant, Function, Tool};
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use crate::{
    audit::{Checked, audit},
    caller::{Caller, PATIENCE},
    conversation::Conversation,
    faults::Faults,
    recovery::Recovery,
    report::Report,
    server::Server,
    upstream::Upstream,
};

/// Threads that are checked at once.
const AUDITS: usize = 16;
/// Faults that are shown.
const SHOWN: usize = 5;

/// Kills the server again and again under load, and checks that nothing it acknowledged is lost.
#[derive(Debug, Parser)]
#[command(name = "ropewalk-chaos")]
struct Cli {
    /// The server to kill.
    #[arg(long, default_value = "target/debug/ropewalk")]
    ropewalk: PathBuf,
    /// Clients, each with a run at work.
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// How often it is killed.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Decides what the upstream and the clients do, and when the server is killed; not how the system schedules it all.
    #[arg(long)]
    seed: Option<u64>,
}

/// What all clients share.
struct World {
    /// What the server keeps is in it, its log, and what is found to be wrong.
    folder: PathBuf,
    seed: u64,
    caller: Caller,
    assistant: AssistantId,
    recovery: Arc<Recovery>,
    faults: Arc<Faults>,
    /// Whether the server is killed no more.
    over: Cell<bool>,
}

fn main() -> ExitCode {
    let lived = run(&Cli::parse());
    // What is wrong is the last that is read, whatever RUST_BACKTRACE says.
    lived.inspect_err(|error| eprintln!("chaos: {error:#}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    // One thread for all clients: they share the machine with the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let folder = tempfile::tempdir()?;
        let lived = tokio::select! {
            lived = live_through(cli, folder.path()) => lived,
            // The server ends with us.
            _ = terminate.recv() => bail!("stopped"),
            _ = interrupt.recv() => bail!("stopped"),
        };
        lived.map_err(|error| error.context(format!("see {}", folder.keep().display())))
    })
}

async fn live_through(cli: &Cli, folder: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let seed = cli.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("chaos: seed {seed}");
    let (recovery, faults) = (Arc::<Recovery>::default(), Arc::<Faults>::default());
    let upstream = Upstream::new(seed, recovery.clone(), faults.clone());
    let mut server = Server::new(&cli.ropewalk, folder, upstream.serve().await?)?;
    server.start().await?;
    let caller = Caller::new(format!("http://{}/v1", server.address), server.alive())?;
    let assistant = CreateAssistant::new("chaos").tool(Tool::function(Function::new("measure")));
    let assistant = caller.client.assistants().create(assistant).await?.id;
    let folder = folder.to_owned();
    let world = World { folder, seed, caller, assistant, recovery, faults, over: Cell::new(false) };

    let talks = try_join_all(
        (0..cli.runs).map(async |number| Conversation::begin(&world, number).await?.go_on(&world).await),
    );
    let (conversations, ()) = tokio::try_join!(talks, kill_again_and_again(&world, &mut server, cli.kills))?;
    upstream.be_calm();
    let conversations =
        try_join_all(conversations.into_iter().map(|conversation| conversation.end(&world))).await?;
    let closed = async {
        while upstream.open_calls() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let closed = timeout(PATIENCE, closed).await.is_ok();
    world.faults.unless(closed, || format!("{} calls go on for runs that are over", upstream.open_calls()));
    let checked: Vec<Checked> = stream::iter(&conversations)
        .map(|one| audit(&world, one))
        .buffer_unordered(AUDITS)
        .try_collect()
        .await?;
    server.stop().await?;
    world
        .faults
        .unless(TcpStream::connect(server.address).await.is_err(), || "somebody still listens".to_owned());
    server.broken_lines().into_iter().for_each(|line| world.faults.add(format!("the server says: {line}")));

    let faults = world.faults.all();
    for fault in faults.iter().take(SHOWN) {
        eprintln!("chaos: {fault}");
    }
    ensure!(faults.is_empty(), "{} promises were not kept", faults.len());
    let checked = checked.iter().fold(Checked::default(), |sum, one| Checked {
        writes: sum.writes + one.writes,
        events: sum.events + one.events,
    });
    let (took, calls, measured) = (begun.elapsed(), upstream.calls(), world.recovery.measured());
    Report { seed, took, conversations: &conversations, checked, calls, measured }.print();
    Ok(())
}

/// Kills the server at random: mostly while all goes well, sometimes while it is about to recover.
async fn kill_again_and_again(world: &World, server: &mut Server, kills: usize) -> anyhow::Result<()> {
    let mut dice = StdRng::seed_from_u64(!world.seed);
    for _ in 0..kills {
        let soon = dice.random_ratio(1, 4);
        let after = if soon { dice.random_range(20..400) } else { dice.random_range(500..3000) };
        sleep(Duration::from_millis(after)).await;
        server.kill()?;
        world.recovery.killed();
        sleep(Duration::from_millis(dice.random_range(0..200))).await;
        world.recovery.starts();
        server.start().await?;
        world.recovery.listens();
    }
    sleep(Duration::from_secs(1)).await;
    world.over.set(true);
    Ok(())
}
