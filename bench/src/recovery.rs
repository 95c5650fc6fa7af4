use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{Extent, assistants, connection::Connection, server::Server, upstream::STEADY};

/// A number beyond the events that a run is told of before the server is killed, and below those of whoever takes it over.
const BEHIND: usize = 200;

/// How long runs stand still when the server is killed.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) runs: usize,
    /// From the start of the next server to its first answer.
    pub(crate) start: Duration,
    /// From the start of the next server until a run told of something new; shortest first.
    pub(crate) times: Vec<Duration>,
}

/// Kills the server while runs are at work, starts it again, and waits until each goes on.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Recovery> {
    let upstream = Server::upstream()?;
    let mut server = Server::ropewalk(ropewalk, upstream.address)?;
    let mut connection = Connection::open(server.address).await?;
    let assistant = assistants::create_assistant(&mut connection, STEADY).await?;
    let mut runs = Vec::new();
    for _ in 0..extent.killed_runs {
        runs.push(assistants::create_run(&mut connection, &assistant).await?);
    }
    for events in &runs {
        // Its first token was told, so it is at work.
        Connection::open(server.address).await?.get_until(events, assistants::DELTA).await?;
    }
    let begun = Instant::now();
    server.restart()?;
    let mut waiting = tokio::task::JoinSet::new();
    let address = server.address;
    let start = begun.elapsed();
    for events in runs {
        waiting.spawn(async move {
            let path = format!("{events}?starting_after={BEHIND}");
            Connection::open(address).await?.get_until(&path, b"event: ").await?;
            anyhow::Ok(begun.elapsed())
        });
    }
    let mut times = waiting.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok(Recovery { runs: times.len(), start, times })
}
