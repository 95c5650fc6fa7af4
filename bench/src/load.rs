//! Runs without a pause, many at once, for a fixed time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep_until};

use crate::{assistants, connection::Connection, server::Server, upstream};

/// What a worker does again and again.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// A stream taken straight from the upstream.
    Completion,
    /// The three calls of a run of this assistant.
    Run(String),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) runs_per_second: f64,
    pub(crate) cpu_per_run: Duration,
    /// The time to the first token of every run, shortest first.
    pub(crate) first_tokens: Vec<Duration>,
    pub(crate) errors: usize,
}

impl Outcome {
    /// The time that this share of the first tokens did not take longer than.
    pub(crate) fn first_token(&self, share: f64) -> Duration {
        let last = self.first_tokens.len().saturating_sub(1);
        self.first_tokens.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

/// Loads `server` with `at_once` workers: for a fifth of `window` to warm up, then for `window`.
pub(crate) async fn load(
    server: &Server,
    work: &Work,
    at_once: usize,
    window: Duration,
) -> anyhow::Result<Outcome> {
    let begin = Instant::now() + window / 5;
    let end = begin + window;
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        workers.spawn(worker(server.address, work.clone(), begin, end));
    }
    sleep_until(begin.into()).await;
    let before = server.cpu()?;
    sleep_until(end.into()).await;
    let cpu = server.cpu()?.saturating_sub(before);
    let (mut first_tokens, mut errors) = (Vec::new(), 0);
    for (samples, failed) in workers.join_all().await {
        first_tokens.extend(samples);
        errors += failed;
    }
    first_tokens.sort_unstable();
    let runs = u32::try_from(first_tokens.len())?;
    Ok(Outcome {
        runs_per_second: f64::from(runs) / window.as_secs_f64(),
        cpu_per_run: cpu / runs.max(1),
        first_tokens,
        errors,
    })
}

/// One run after the other until `end`; those that end between `begin` and `end` count. Gives their times to the first
/// token, and how many failed at any time.
async fn worker(address: SocketAddr, work: Work, begin: Instant, end: Instant) -> (Vec<Duration>, usize) {
    let (mut samples, mut errors) = (Vec::new(), 0);
    let mut kept = None;
    while Instant::now() < end {
        let result = once(&mut kept, address, &work).await;
        let is_counted = (begin..end).contains(&Instant::now());
        match result {
            Ok(first) if is_counted => samples.push(first),
            Ok(_) => {}
            Err(error) => {
                if errors == 0 {
                    eprintln!("bench: {error:#}");
                }
                errors += 1;
                kept = None;
            }
        }
    }
    (samples, errors)
}

async fn once(kept: &mut Option<Connection>, address: SocketAddr, work: &Work) -> anyhow::Result<Duration> {
    let connection = match kept {
        Some(connection) => connection,
        None => kept.insert(Connection::open(address).await?),
    };
    match work {
        Work::Run(assistant) => assistants::run(connection, assistant).await,
        Work::Completion => {
            let begun = Instant::now();
            let body = format!(
                r#"{{"model":"{}","stream":true,"messages":[{{"role":"user","content":"Say 200 words."}}]}}"#,
                upstream::PLAIN
            );
            let (_, first) = connection.post_stream("/v1/chat/completions", &body, b"data: ").await?;
            Ok(first - begun)
        }
    }
}
