use std::{net::SocketAddr, path::Path};

use futures_util::{StreamExt, stream};

use crate::{Extent, assistants, connection::Connection, server::Server, upstream};

/// Streams opened before the first look at the memory, so that what all share is there.
const BEFORE: usize = 64;
/// Streams being opened at the same time.
const AT_ONCE: usize = 64;

/// What streams cost that are open and silent.
#[derive(Debug)]
pub(crate) struct OpenStreams {
    pub(crate) server: &'static str,
    pub(crate) open: usize,
    pub(crate) errors: usize,
    /// Resident memory, in bytes.
    pub(crate) idle_bytes: u64,
    pub(crate) open_bytes: u64,
    /// Whether the server still answered with all of them open.
    pub(crate) answers: bool,
}

impl OpenStreams {
    pub(crate) fn bytes_per_stream(&self) -> f64 {
        self.open_bytes.saturating_sub(self.idle_bytes) as f64 / self.open.max(1) as f64
    }
}

/// Opens streams whose model has said one word and then holds them open.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Vec<OpenStreams>> {
    let upstream = Server::upstream()?;
    let floor = hold("floor", Server::floor(upstream.address)?, extent.open_streams).await?;
    let ours =
        hold("ropewalk serve", Server::ropewalk(ropewalk, upstream.address)?, extent.open_streams).await?;
    Ok(vec![floor, ours])
}

async fn hold(name: &'static str, server: Server, count: usize) -> anyhow::Result<OpenStreams> {
    let mut connection = Connection::open(server.address).await?;
    let assistant = assistants::create_assistant(&mut connection, upstream::HELD).await?;
    let before = open(server.address, &assistant, BEFORE).await;
    let idle_bytes = server.resident_bytes()?;
    let held = open(server.address, &assistant, count).await;
    let open_bytes = server.resident_bytes()?;
    let answers = assistants::create_assistant(&mut connection, upstream::HELD).await.is_ok();
    let errors = BEFORE + count - before.len() - held.len();
    Ok(OpenStreams { server: name, open: held.len(), errors, idle_bytes, open_bytes, answers })
}

/// Opens runs of `assistant`, each up to its first token; says which failed.
pub(crate) async fn open(address: SocketAddr, assistant: &str, count: usize) -> Vec<Connection> {
    let one = |_| async move {
        let mut connection = Connection::open(address).await?;
        assistants::open(&mut connection, assistant).await?;
        // What the load generator holds is not measured, but there is no need for it.
        anyhow::Ok(connection.without_reply())
    };
    let opened = stream::iter(0..count).map(one).buffer_unordered(AT_ONCE);
    opened
        .filter_map(async |opened| opened.inspect_err(|error| eprintln!("bench: {error:#}")).ok())
        .collect()
        .await
}
