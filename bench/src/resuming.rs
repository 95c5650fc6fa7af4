use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::{
    Extent, assistants,
    connection::Connection,
    server::Server,
    upstream::{LONG, LONGER, TOKENS},
};

/// What it costs to come back to a run, and to read along with others.
#[derive(Debug)]
pub(crate) struct Resuming {
    pub(crate) resumed: Vec<Resumed>,
    pub(crate) readers: Vec<Readers>,
}

/// A stream of a run that is over, read from some event on.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) what: &'static str,
    pub(crate) events: usize,
    /// From the request to the last byte; a median.
    pub(crate) time: Duration,
    /// The server's, for one.
    pub(crate) cpu: Duration,
}

/// Readers of one run that is told as fast as it can be.
#[derive(Debug)]
pub(crate) struct Readers {
    pub(crate) readers: usize,
    /// Events that all of them were sent, a second.
    pub(crate) events_per_second: f64,
    /// From the creation of the run to the last byte of the last reader.
    pub(crate) time: Duration,
}

pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Resuming> {
    let upstream = Server::upstream()?;
    let server = Server::ropewalk(ropewalk, upstream.address)?;
    let mut connection = Connection::open(server.address).await?;
    let assistant = assistants::create_assistant(&mut connection, LONG).await?;
    let events = assistants::create_run(&mut connection, &assistant).await?;
    let all = assistants::follow(&mut connection, &events, 0).await?;
    ensure!(all > 10 * TOKENS, "{all} events of {}", 10 * TOKENS);
    let mut resumed = Vec::new();
    for (what, after) in [("all of it", 0), ("its second half", all / 2), ("nothing new", all)] {
        let (begun, before) = (Instant::now(), server.cpu()?);
        let mut times = Vec::new();
        while begun.elapsed() < extent.window || times.is_empty() {
            let asked = Instant::now();
            let read = assistants::follow(&mut connection, &events, after).await?;
            ensure!(read == all - after, "{read} events behind {after} of {all}");
            times.push(asked.elapsed());
        }
        let cpu = server.cpu()?.saturating_sub(before) / u32::try_from(times.len())?;
        times.sort_unstable();
        resumed.push(Resumed { what, events: all - after, time: times[times.len() / 2], cpu });
    }
    let longer = assistants::create_assistant(&mut connection, LONGER).await?;
    let mut readers = Vec::new();
    for count in [1, 100] {
        readers.push(read_along(&server, &longer, count).await?);
    }
    Ok(Resuming { resumed, readers })
}

/// Lets many read one run from its begin to its end.
async fn read_along(server: &Server, assistant: &str, readers: usize) -> anyhow::Result<Readers> {
    let mut connections = Vec::new();
    for _ in 0..readers {
        connections.push(Connection::open(server.address).await?);
    }
    let mut first = Connection::open(server.address).await?;
    let begun = Instant::now();
    let events = assistants::create_run(&mut first, assistant).await?;
    let mut reading = JoinSet::new();
    for mut connection in connections {
        let events = events.clone();
        reading.spawn(async move { assistants::follow(&mut connection, &events, 0).await });
    }
    let read: usize = reading.join_all().await.into_iter().sum::<anyhow::Result<_>>()?;
    let time = begun.elapsed();
    ensure!(read > readers * 100 * TOKENS, "{read} events for {readers} readers");
    Ok(Readers { readers, events_per_second: read as f64 / time.as_secs_f64(), time })
}
