use std::{future::Future, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Runtime, connections::Connections};

/// Serves the API on `listener` until `stop` is done; then lets open requests and runs finish, for `grace` at
/// most. What does not finish is taken over at the next start.
///
/// [`Bounds`](crate::Bounds) say what a connection may do.
///
/// # Errors
///
/// If the worker beside the connections broke.
pub async fn serve(
    listener: TcpListener,
    runtime: Runtime,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    runtime.prepare().await;
    let stopping = CancellationToken::new();
    let worker = CancellationToken::new();
    let work = tokio::spawn({
        let (runtime, worker) = (runtime.clone(), worker.clone());
        async move { runtime.work(worker).await }
    });
    let connections = Connections::of(&runtime, stopping.clone());
    tokio::select! {
        () = connections.accept(&listener) => {}
        () = stop => stopping.cancel(),
    }
    drop(listener);
    runtime.stop();
    let finish = async {
        connections.finish().await;
        runtime.idle().await;
    };
    if tokio::time::timeout(grace, finish).await.is_err() {
        tracing::warn!("unfinished runs are left to the next start");
    }
    worker.cancel();
    work.await.map_err(std::io::Error::other)
}
