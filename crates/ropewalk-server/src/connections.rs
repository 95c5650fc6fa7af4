//! The connections of a server: how many, how long, and what they may send before there is a request.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderValue, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{Runtime, bounds::Bounds, idle::TimedBody, router, router::no_room};

/// Connections that are told that there is no room; those above are closed without a word.
const TURNED_AWAY: usize = 64;
/// How long one of them may take to send its request.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to wait when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(200);
/// Headers that hyper has room for on its stack.
const CHEAP_HEADERS: usize = 100;

/// Accepts connections and serves each in a task of its own.
pub(crate) struct Connections {
    app: Router,
    full: Router,
    bounds: Bounds,
    room: Arc<Semaphore>,
    room_to_refuse: Arc<Semaphore>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Connections {
    /// Those of `runtime`.
    pub(crate) fn of(runtime: &Runtime, stopping: CancellationToken) -> Self {
        let bounds = runtime.options().bounds.clone();
        Self::new(router(runtime.clone()), no_room(runtime.clone()), bounds, stopping)
    }

    /// Answers by `app`, or where there is no room by `full`.
    pub(crate) fn new(app: Router, full: Router, bounds: Bounds, stopping: CancellationToken) -> Self {
        Self {
            app,
            full,
            room: Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS))),
            room_to_refuse: Arc::new(Semaphore::new(TURNED_AWAY)),
            bounds,
            tasks: TaskTracker::new(),
            stopping,
        }
    }

    /// Accepts until the server is stopping.
    pub(crate) async fn accept(&self, listener: &TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => self.begin(socket),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted now");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// Waits until all connections are closed.
    pub(crate) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn begin(&self, socket: TcpStream) {
        // A token is a write of its own: it must not wait for the next.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
        let mut http = self.http();
        if let Ok(room) = self.room.clone().try_acquire_owned() {
            self.spawn(http, socket, self.app.clone(), room);
        } else if let Ok(room) = self.room_to_refuse.clone().try_acquire_owned() {
            http.keep_alive(false).header_read_timeout(LAST_WORDS.min(self.bounds.header_timeout));
            self.spawn(http, socket, self.full.clone(), room);
        }
    }

    /// The protocol with room for more than the bounds, so that what is just over gets an answer in words.
    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        let bytes = self.bounds.header_bytes.saturating_mul(2).saturating_add(self.bounds.uri_bytes);
        http.timer(TokioTimer::new()).header_read_timeout(self.bounds.header_timeout).max_header_size(bytes);
        let headers = self.bounds.headers.saturating_add(32);
        if headers > CHEAP_HEADERS {
            http.max_headers(headers);
        }
        http
    }

    fn spawn(&self, http: http1::Builder, socket: TcpStream, app: Router, room: OwnedSemaphorePermit) {
        let patience = self.bounds.body_timeout;
        let service = service_fn(move |request: http::Request<Incoming>| {
            let request = request.map(|body| TimedBody::new(body, patience));
            let ended = request.body().ended();
            let answer = app.clone().oneshot(request.map(Body::new));
            async move {
                let mut response = answer.await?;
                // What is left of the body stands in the way of another request.
                if !response.status().is_success() && !ended.reached() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let stopping = self.stopping.clone();
        let connection = http.serve_connection(TokioIo::new(socket), service);
        self.tasks.spawn(async move {
            let _room = room;
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
            }
        });
    }
}

/// Whether only the client that was about to connect is gone.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
