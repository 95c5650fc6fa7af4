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
#[derive(Debug, Clone, Default)]
pub struct RetryLayer {
    policy: RetryPolicy,
}

/// A request extension that lowers the number of retries for one request; it cannot raise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRetries(pub u32);

impl RetryLayer {
    /// Retries as `policy` says.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy }
    }

    /// The wait before another try, if there is reason for one.
    fn delay(&self, attempt: u32, result: &Result<Response<Body>, TransportError>) -> Option<Duration> {
        let none = HeaderMap::new();
        let headers = match result {
            Ok(response) if self.policy.is_retryable(response.status(), response.headers()) => {
                response.headers()
            }
            Err(error) if error.is_retryable() => &none,
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
        let mut attempt = 0;
        loop {
            let spare = if attempt < max_retries { copy(&request) } else { None };
            let result = until(end, next.clone().oneshot(request)).await;
            let (Some(mut again), Some(delay)) = (spare, self.delay(attempt, &result)) else {
                return result;
            };
            if end.is_some_and(|end| end.saturating_duration_since(Instant::now()) <= delay) {
                return result;
            }
            attempt += 1;
            tracing::debug!(attempt, ?delay, "trying again");
            // The failed response gives back what it holds before the wait.
            drop(result);
            sleep(delay).await;
            again.headers_mut().insert(RETRY_COUNT, attempt.into());
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
