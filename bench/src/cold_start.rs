use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{Extent, connection::Connection, server::Server};

/// How long a new server takes from its start to its first answer.
#[derive(Debug)]
pub(crate) struct ColdStart {
    /// Shortest first.
    pub(crate) times: Vec<Duration>,
}

/// Starts the server again and again, each time over an empty folder.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<ColdStart> {
    let upstream = Server::upstream()?;
    let mut times = Vec::new();
    for _ in 0..extent.starts {
        let begun = Instant::now();
        let server = Server::ropewalk(ropewalk, upstream.address)?;
        ensure!(Connection::open(server.address).await?.is_ok("/healthz").await, "/healthz did not answer");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(ColdStart { times })
}
