use std::{fmt, future::Future, sync::Arc, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use http::header;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Bounds, connections::Connections};

/// Connections to a listener that serves nothing else.
const CONNECTIONS: usize = 64;

/// What `/metrics` says: totals of the whole server, in the text format of Prometheus.
///
/// The crates of this server measure themselves with the facade of the crate `metrics`; which recorder writes it down, and
/// how its page is made, is for the program to say. [`describe_metrics`](crate::describe_metrics) tells the recorder what
/// they mean.
#[derive(Clone)]
pub struct MetricsPage(Arc<dyn Fn() -> String + Send + Sync>);

impl MetricsPage {
    /// A page that is made anew for each who asks.
    pub fn new(write: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The route of the page. It asks for no key.
    pub(crate) fn route<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let write = self.0.clone();
        let text = move || async move {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], write()).into_response()
        };
        Router::new().route("/metrics", get(text))
    }

    /// Serves the page, and nothing else, on a listener of its own until `stop` is done.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let stopping = CancellationToken::new();
        let bounds =
            Bounds { connections: CONNECTIONS, header_timeout: Duration::from_secs(30), ..Bounds::default() };
        let connections = Connections::new(self.route(), Router::new(), bounds, stopping.clone());
        tokio::select! {
            () = connections.accept(&listener) => {}
            () = stop => stopping.cancel(),
        }
        connections.finish().await;
    }
}

impl fmt::Debug for MetricsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsPage")
    }
}
