use std::{path::Path, time::Duration};

use anyhow::ensure;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{Extent, assistants, connection::Connection, open_streams, server::Server, upstream};

/// What many streams cost that all bring a word each [`upstream::TICK`].
#[derive(Debug)]
pub(crate) struct SteadyStreams {
    pub(crate) streams: usize,
    /// Streams that could not be opened, broke, lost a token, or whose run did not complete.
    pub(crate) errors: usize,
    /// The server's CPU time over real time.
    pub(crate) cores: f64,
    /// Resident memory, in bytes, so many seconds after all were open.
    pub(crate) memory: Vec<(u64, u64)>,
}

impl SteadyStreams {
    /// What the memory is at the last look over what it was at the first, and the bytes between them for each stream.
    pub(crate) fn growth(&self) -> (f64, f64) {
        let bytes = |look: Option<&(u64, u64)>| look.map_or(0.0, |&(_, bytes)| bytes as f64);
        let (first, last) = (bytes(self.memory.first()), bytes(self.memory.last()));
        (last / first, (last - first) / self.streams as f64)
    }
}

/// Bytes of the store's page cache.
const PAGE_CACHE: usize = 8 << 20;
/// Bytes of a message that helps to fill it.
const MESSAGE: usize = 16 << 10;

/// Writes messages until the page cache of the store is full, as that of a server is which has worked for a while: it is
/// bounded, and grows with what is written, not with streams.
async fn fill_page_cache(connection: &mut Connection) -> anyhow::Result<()> {
    let thread = assistants::create_thread(connection).await?;
    let (path, text) = (format!("/v1/threads/{thread}/messages"), "a word and more ".repeat(MESSAGE / 16));
    let message = format!(r#"{{"role":"user","content":"{text}"}}"#);
    for _ in 0..2 * PAGE_CACHE / MESSAGE {
        connection.post(&path, &message).await?;
    }
    Ok(())
}

/// Opens all streams, looks at the memory while they go on, then ends all answers at once and reads each to its end.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<SteadyStreams> {
    let upstream = Server::upstream()?;
    let server = Server::ropewalk(ropewalk, upstream.address)?;
    let mut connection = Connection::open(server.address).await?;
    fill_page_cache(&mut connection).await?;
    let assistant = assistants::create_assistant(&mut connection, upstream::STEADY).await?;
    let mut streams = JoinSet::new();
    for mut stream in open_streams::open(server.address, &assistant, extent.steady_streams).await {
        streams.spawn(async move { assistants::finish(&mut stream).await });
    }
    let (begun, cpu) = (Instant::now(), server.cpu()?);
    let mut memory = Vec::new();
    for &seconds in extent.looks {
        sleep_until(begun + Duration::from_secs(seconds)).await;
        memory.push((seconds, server.resident_bytes()?));
    }
    let (lasted, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    let request = format!(r#"{{"model":"{}"}}"#, upstream::ENOUGH);
    Connection::open(upstream.address)
        .await?
        .post_stream("/v1/chat/completions", &request, b"data: ")
        .await?;
    // The first word was read when the stream was opened, and the last may not have been due yet.
    let least = (lasted.as_millis() / upstream::TICK.as_millis()).saturating_sub(2);
    let whole = |finished: anyhow::Result<usize>| {
        let tokens = finished?;
        ensure!(tokens as u128 >= least, "{tokens} of {least} tokens came through");
        anyhow::Ok(())
    };
    let ended = streams.join_all().await.into_iter().map(whole);
    let completed =
        ended.filter(|ended| ended.as_ref().inspect_err(|error| eprintln!("bench: {error:#}")).is_ok());
    Ok(SteadyStreams {
        streams: extent.steady_streams,
        errors: extent.steady_streams - completed.count(),
        cores: cpu.as_secs_f64() / lasted.as_secs_f64(),
        memory,
    })
}
