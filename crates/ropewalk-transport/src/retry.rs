use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Request, Response};
use tokio::time::{Instant, sleep, timeout_at};
use tower::{Layer, ServiceExt};

use crate::layered::Around;
use crate::request::copy;
use crate::{Body, HttpService, Layered, RetryPolicy, TransportError, TransportErrorKind};

/// How many times the request was tried before; absent on the first try.
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-ropewalk-retry-count");

/// Sends a request again when the answer, or its absence, says that this may help.
///
/// Only a request whose body is in memory is sent again, and only while no response has been handed on: what
/// breaks inside a response body is the reader's to handle.
///
/// With a deadline, a request that a [`BreakerLayer`](crate::BreakerLayer) refused is sent when that says, unless that
/// is later than the longest backoff or the deadline. Nothing was sent, so it is no try; without a deadline, and for
/// requests that are not to be retried, the refusal is final.
#[derive(Debug, Clone, Default)]
pub struct RetryLayer {
    policy: RetryPolicy,
}

/// A request extension that lowers the number of retries for one request; it cannot raise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRetries(pub u32);

/// A request extension for the layers below: when whoever waits for the headers gives up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Instant);

impl RetryLayer {
    /// Retries as `policy` says.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy }
    }

    /// The wait for a server that is left alone, if it is short; the backoff is added so that not all come at once.
    fn wait_for_circuit(&self, result: &Result<Response<Body>, TransportError>) -> Option<Duration> {
        let Err(error) = result else { return None };
        let wait = error.retry_after().filter(|_| error.kind() == TransportErrorKind::CircuitOpen)?;
        let backoff = self.policy.delay(0, &HeaderMap::new(), SystemTime::now(), rand::random());
        (wait <= self.policy.max).then(|| wait.saturating_add(backoff))
    }

    /// The wait before another try, if there is reason for one.
    fn delay(&self, attempt: u32, result: &Result<Response<Body>, TransportError>) -> Option<Duration> {
        let none = HeaderMap::new();
        let headers = match result {
            Ok(response) if self.policy.is_retryable(response.status(), response.headers()) => {
                response.headers()
            }
            Err(error) if error.is_retryable() && error.kind() != TransportErrorKind::CircuitOpen => &none,
            _ => return None,
        };
        Some(self.policy.delay(attempt, headers, SystemTime::now(), rand::random()))
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Layered<Self, S>;

    fn layer(&self, next: S) -> Self::Service {
        Layered::new(self.clone(), next)
    }
}

impl Around for RetryLayer {
    async fn around<S: HttpService>(
        self: Arc<Self>,
        next: S,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let asked = request.extensions().get().map_or(u32::MAX, |MaxRetries(retries)| *retries);
        let max_retries = self.policy.max_retries.min(asked);
        let end = self.policy.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        if let Some(end) = end {
            request.extensions_mut().insert(Deadline(end));
        }
        let mut attempt = 0;
        loop {
            let may_wait = end.is_some() && max_retries > 0;
            let spare = if attempt < max_retries || may_wait { copy(&request) } else { None };
            let result = until(end, next.clone().oneshot(request)).await;
            let Some(mut again) = spare else { return result };
            let wait = self.wait_for_circuit(&result).filter(|_| may_wait);
            let retry = || self.delay(attempt, &result).filter(|_| attempt < max_retries);
            let Some(delay) = wait.or_else(retry) else { return result };
            if end.is_some_and(|end| end.saturating_duration_since(Instant::now()) <= delay) {
                return result;
            }
            if wait.is_none() {
                attempt += 1;
                again.headers_mut().insert(RETRY_COUNT, attempt.into());
            }
            tracing::debug!(attempt, ?delay, "trying again");
            // The failed response gives back what it holds before the wait.
            drop(result);
            sleep(delay).await;
            request = again;
        }
    }
}

/// One try, cut off when the time for all of them is up.
async fn until(
    end: Option<Instant>,
    response: impl Future<Output = Result<Response<Body>, TransportError>>,
) -> Result<Response<Body>, TransportError> {
    match end {
        None => response.await,
        Some(end) => timeout_at(end, response).await.unwrap_or_else(|elapsed| {
            Err(TransportError::new(TransportErrorKind::Timeout).with_source(elapsed))
        }),
    }
}

#[cfg(test)]
mod tests;
