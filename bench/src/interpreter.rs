//! Sessions of the code interpreter, beside an ipykernel session and a bare `python3`.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use ropewalk_interpreter::{
    CellEnd, CellEvent, Environment, Output, PoolOptions, Sandbox, Session, SessionPool,
};
use serde::Deserialize;
use tokio::{process::Command, time::sleep};

use crate::Extent;

/// Prints far more than is kept.
const FLOOD: u64 = 256 << 20;
/// The limit whose answers are timed.
const LIMIT: Duration = Duration::from_millis(500);
/// Between two users of a pool: longer than a session takes to begin.
const BETWEEN: Duration = Duration::from_millis(250);
const IMPORTS: &str = "import numpy, pandas, matplotlib.pyplot, scipy.optimize, PIL.Image";

/// Where the Pythons to measure are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pythons<'a> {
    /// An environment of `ropewalk interpreter setup`.
    pub(crate) environment: &'a Path,
    /// A Python that has ipykernel.
    pub(crate) ipykernel: &'a Path,
}

#[derive(Debug)]
pub(crate) struct Interpreters {
    /// From nothing to a sandbox with all imported.
    pub(crate) start: Duration,
    /// From the wish for a session to its first result, shortest first; of ours, with all imported, then of the others.
    pub(crate) first: Vec<(&'static str, Vec<Duration>)>,
    /// A cell that does nothing, in a session that is there.
    pub(crate) warm: Vec<(&'static str, Vec<Duration>)>,
    /// Bytes that an idle session adds, shared pages in parts.
    pub(crate) session_bytes: u64,
    pub(crate) kernel_bytes: u64,
    /// Idle sessions, and what they and the process that they were forked from hold together.
    pub(crate) idle: (usize, u64),
    /// How much later than its limit a cell was answered for that can be interrupted, and one that cannot.
    pub(crate) interrupted: Duration,
    pub(crate) killed: Duration,
    /// Bytes that a cell prints a second, most of them thrown away.
    pub(crate) printed_per_second: f64,
}

/// What `ipykernel.py` says.
#[derive(Debug, Deserialize)]
struct Kernel {
    bare: Vec<f64>,
    imported: Vec<f64>,
    cells: Vec<f64>,
    memory: u64,
}

pub(crate) async fn measure(pythons: Pythons<'_>, extent: Extent) -> anyhow::Result<Interpreters> {
    let environment = Environment::open(pythons.environment)?;
    let begun = Instant::now();
    let sandbox = Sandbox::start(environment.options()).await?;
    let start = begun.elapsed();
    let mut first = Vec::new();
    for _ in 0..extent.sessions {
        let begun = Instant::now();
        let mut session = sandbox.session().await?;
        run(&mut session, "1 + 1").await?;
        first.push(begun.elapsed());
        session.end().await;
    }
    let ready = ready(&sandbox, extent.sessions).await?;
    let mut session = sandbox.session().await?;
    let mut warm = Vec::new();
    for _ in 0..extent.sessions {
        let begun = Instant::now();
        run(&mut session, "x = 1").await?;
        warm.push(begun.elapsed());
    }
    let interrupted = answered(&mut session, "while True: pass").await?;
    let begun = Instant::now();
    run(&mut session, &format!("for _ in range({}): print('x' * 65535)", FLOOD >> 16)).await?;
    let printed_per_second = FLOOD as f64 / begun.elapsed().as_secs_f64();
    let deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass";
    let killed = answered(&mut session, deaf).await?;
    drop(session);
    let (session_bytes, idle_bytes) = idle(&sandbox, extent.idle_sessions).await?;
    drop(sandbox);

    let python = environment.python();
    let kernel = kernel(pythons, extent).await?;
    let (mut bare, mut imported) = (Vec::new(), Vec::new());
    for _ in 0..extent.others {
        bare.push(program(&python, "print(1 + 1)").await?);
        imported.push(program(&python, IMPORTS).await?);
    }
    Ok(Interpreters {
        start,
        first: vec![
            ("a session, packages imported", sorted(first)),
            ("a session of a pool that keeps one ready", sorted(ready)),
            ("ipykernel", of_seconds(&kernel.bare)),
            ("ipykernel, packages imported", of_seconds(&kernel.imported)),
            ("`python3`", sorted(bare)),
            ("`python3`, packages imported", sorted(imported)),
        ],
        warm: vec![("a session", sorted(warm)), ("ipykernel", of_seconds(&kernel.cells))],
        session_bytes,
        kernel_bytes: kernel.memory,
        idle: (extent.idle_sessions, idle_bytes),
        interrupted,
        killed,
        printed_per_second,
    })
}

async fn run(session: &mut Session, code: &str) -> anyhow::Result<()> {
    let (_, end) = session.run(code).finish().await;
    ensure!(end == CellEnd::Completed, "a cell ended with {end:?}");
    Ok(())
}

/// First results of sessions of a pool with a spare one, which has had the time to begin.
async fn ready(sandbox: &Sandbox, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut options = PoolOptions::default();
    options.spare = true;
    let pool = SessionPool::<()>::new(Arc::new(sandbox.clone()), options);
    let mut times = Vec::new();
    for number in 0..=count {
        let begun = Instant::now();
        let mut lease = pool.session("bench", &number.to_string()).await?;
        let end = lease.parts().0.run("1 + 1".to_owned()).collect::<Vec<_>>().await.pop();
        let took = begun.elapsed();
        ensure!(matches!(end, Some(CellEvent::End(CellEnd::Completed))), "a cell ended with {end:?}");
        // The first one found none.
        times.extend((number > 0).then_some(took));
        lease.discard();
        sleep(BETWEEN).await;
    }
    Ok(times)
}

/// How long after its limit a cell is answered for.
async fn answered(session: &mut Session, code: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let end = session.run(code).within(LIMIT).end().await;
    ensure!(matches!(end, CellEnd::TimedOut | CellEnd::Lost { .. }), "a cell ended with {end:?}");
    Ok(begun.elapsed().saturating_sub(LIMIT))
}

/// What each of many idle sessions holds, and all together with the process that they were forked from.
async fn idle(sandbox: &Sandbox, count: usize) -> anyhow::Result<(u64, u64)> {
    let before = descendants();
    let mut sessions = Vec::new();
    for _ in 0..count {
        let mut session = sandbox.session().await?;
        let (outputs, _) = session.run("import numpy; numpy.arange(9).sum()").finish().await;
        ensure!(matches!(&outputs[..], [Output::Text(text)] if text.contains("36")), "{outputs:?}");
        sessions.push(session);
    }
    let all = descendants();
    let of_sessions: u64 = all.difference(&before).map(|pid| pss(*pid)).sum();
    Ok((of_sessions / count.max(1) as u64, all.iter().map(|pid| pss(*pid)).sum()))
}

/// Processes below this one.
fn descendants() -> HashSet<u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: HashMap<u32, u32> = numbers
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let own = std::process::id();
    let is_below = |pid: &&u32| {
        std::iter::successors(Some(**pid), |pid| parents.get(pid).copied()).skip(1).any(|pid| pid == own)
    };
    parents.keys().filter(is_below).copied().collect()
}

fn pss(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

async fn kernel(pythons: Pythons<'_>, extent: Extent) -> anyhow::Result<Kernel> {
    let packages =
        fs::read_dir(pythons.environment.join("lib"))?.next().context("an environment has packages")??;
    let output = Command::new(pythons.ipykernel)
        .args(["-c", include_str!("ipykernel.py"), &extent.others.to_string(), &extent.sessions.to_string()])
        .env("PYTHONPATH", packages.path().join("site-packages"))
        .env("MPLBACKEND", "agg")
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("ipykernel")?;
    ensure!(output.status.success(), "ipykernel ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// From the start of a program to its end.
async fn program(python: &Path, code: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let output = Command::new(python).args(["-c", code]).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "python ended with {}", output.status);
    Ok(begun.elapsed())
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn of_seconds(times: &[f64]) -> Vec<Duration> {
    sorted(times.iter().map(|seconds| Duration::from_secs_f64(*seconds)).collect())
}
