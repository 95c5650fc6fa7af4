use std::{future::Future, time::Duration};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Runtime, router};

/// Serves the API on `listener` until `stop` is done; then lets open requests and runs finish, for `grace` at
/// most. What does not finish is taken over at the next start.
///
/// # Errors
///
/// The listener's own, when it cannot accept any more.
pub async fn serve(
    listener: TcpListener,
    runtime: Runtime,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let stopping = CancellationToken::new();
    let worker = CancellationToken::new();
    let work = tokio::spawn({
        let (runtime, worker) = (runtime.clone(), worker.clone());
        async move { runtime.work(worker).await }
    });
    // A token is a write of its own: it must not wait for the next.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
    });
    let signal = {
        let stopping = stopping.clone();
        async move {
            stop.await;
            stopping.cancel();
        }
    };
    let server = axum::serve(listener, router(runtime.clone())).with_graceful_shutdown(signal);
    let finish = async {
        let served = server.await;
        runtime.idle().await;
        served
    };
    let finished = tokio::select! {
        finished = finish => finished,
        () = async {
            stopping.cancelled().await;
            tokio::time::sleep(grace).await;
        } => {
            tracing::warn!("unfinished runs are left to the next start");
            Ok(())
        }
    };
    worker.cancel();
    work.await.map_err(std::io::Error::other)?;
    finished
}
