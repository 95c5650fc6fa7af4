mod circuit;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::layered::Around;
use crate::retry::Deadline;
use crate::{Body, BreakerPolicy, HttpService, Layered, TransportError, TransportErrorKind};
use circuit::{Circuit, News, Ticket};

/// Most servers that are remembered at a time.
const MAX_SERVERS: usize = 1024;

/// Leaves a server alone for a while after it failed several times in a row: [`BreakerPolicy`] says when.
///
/// A failure is a connection that cannot be made, a time limit that passed, a status of 5xx, and a body that stalled
/// or broke off. Any other answer, 4xx and 429 included, says that the server is there. A call whose future or body is
/// dropped says nothing, unless the deadline of a [`RetryLayer`](crate::RetryLayer) had come by then; if it was the
/// probe, the next call is. A refused call is an error of the kind
/// [`CircuitOpen`](TransportErrorKind::CircuitOpen) that says when to ask again.
///
/// It belongs around a [`TimeoutLayer`](crate::TimeoutLayer), whose errors it counts. Each server, by host and port,
/// has a circuit of its own; clones of one layer share them, and so do all services that they make.
#[derive(Debug, Clone)]
pub struct BreakerLayer {
    policy: Arc<BreakerPolicy>,
    circuits: Arc<Circuits>,
}

impl BreakerLayer {
    /// Breaks the circuit as `policy` says.
    #[must_use]
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy: Arc::new(policy), circuits: Arc::default() }
    }

    fn admit(&self, request: &Request<Body>) -> Result<Call, TransportError> {
        let server = request.uri().authority();
        let circuit = self.circuits.of(server);
        let ticket = circuit
            .lock()
            .admit(&self.policy, Instant::now())
            .map_err(|wait| TransportError::new(TransportErrorKind::CircuitOpen).with_retry_after(wait))?;
        Ok(Call {
            policy: Arc::clone(&self.policy),
            circuit,
            server: server.cloned(),
            deadline: request.extensions().get().map(|Deadline(deadline)| *deadline),
            ticket: Some(ticket),
        })
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(self.clone(), next)
    }
}

impl Around for BreakerLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let mut call = self.admit(&request)?;
        let response = next.oneshot(request).await.inspect_err(|error| call.hear_error(error))?;
        if response.status().is_server_error() {
            call.hear(News::Failed);
        } else if response.status().is_success() && !response.body().is_end_stream() {
            call.hear(News::Answered);
            return Ok(response.map(|body| Body::new(HeardBody { body, call })));
        } else {
            call.hear(News::Whole);
        }
        Ok(response)
    }
}

/// The circuits of all servers that were asked of late.
#[derive(Default)]
struct Circuits(Mutex<HashMap<Option<Authority>, Arc<Mutex<Circuit>>>>);

impl Circuits {
    fn of(&self, server: Option<&Authority>) -> Arc<Mutex<Circuit>> {
        let mut circuits = self.0.lock();
        let server = server.cloned();
        if circuits.len() >= MAX_SERVERS && !circuits.contains_key(&server) {
            circuits.retain(|_, circuit| Arc::strong_count(circuit) > 1 || !circuit.lock().is_closed());
            if circuits.len() >= MAX_SERVERS {
                // Better a server that nothing is remembered of than no call.
                return Arc::default();
            }
        }
        Arc::clone(circuits.entry(server).or_default())
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.lock().iter().map(|(server, circuit)| {
                (server.as_ref().map_or("", Authority::host), circuit.lock().is_closed())
            }))
            .finish()
    }
}

/// One call that was let through. It tells the circuit what becomes of it, even if nobody waits for that any more.
struct Call {
    policy: Arc<BreakerPolicy>,
    circuit: Arc<Mutex<Circuit>>,
    server: Option<Authority>,
    /// When the caller gives up waiting for the headers: that is a failure, as it is no change of mind.
    deadline: Option<Instant>,
    /// `None` when all is told.
    ticket: Option<Ticket>,
}

impl Call {
    fn hear_error(&mut self, error: &TransportError) {
        use TransportErrorKind::{Closed, Connect, Interrupted, Timeout};
        let is_failure = matches!(error.kind(), Connect | Timeout | Interrupted | Closed);
        self.hear(if is_failure { News::Failed } else { News::Dropped });
    }

    fn hear(&mut self, news: News) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut circuit = self.circuit.lock();
        let was_closed = circuit.is_closed();
        let opened = circuit.hear(&ticket, news, &self.policy, Instant::now(), rand::random());
        let is_closed = circuit.is_closed();
        drop(circuit);
        let host = self.server.as_ref().map(Authority::host);
        if let Some(time) = opened {
            tracing::warn!(host, ?time, "the server failed too often in a row: it is left alone for a while");
        } else if is_closed && !was_closed {
            tracing::info!(host, "the server answers again");
        }
        if news == News::Answered {
            (self.ticket, self.deadline) = (Some(ticket), None);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        self.hear(if is_late { News::Failed } else { News::Dropped });
    }
}

/// A body whose end its circuit hears of.
struct HeardBody {
    body: Body,
    call: Call,
}

impl http_body::Body for HeardBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Err(error)) => self.call.hear_error(error),
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            _ => self.call.hear(News::Whole),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
