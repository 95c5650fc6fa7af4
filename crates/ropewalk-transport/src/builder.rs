use std::time::Duration;

use tower::Layer;
use tower::util::option_layer;

use crate::{
    AuthLayer, BreakerLayer, BreakerPolicy, ConcurrencyLimitLayer, HttpService, RetryLayer, RetryPolicy,
    TimeoutLayer, TraceLayer, Transport,
};

/// Stacks layers on a leaf in the order that works: trace, auth, retry, concurrency limit, breaker, timeout, leaf.
///
/// So one span covers all tries, a wait between tries occupies no place among the requests in flight, a breaker is asked
/// when a call is about to be made, and a time limit belongs to one try and does not count the wait for its place.
#[derive(Debug, Clone)]
pub struct TransportBuilder<L> {
    leaf: L,
    trace: Option<TraceLayer>,
    auth: Option<AuthLayer>,
    retry: Option<RetryLayer>,
    limit: Option<ConcurrencyLimitLayer>,
    breaker: Option<BreakerLayer>,
    timeout: Option<TimeoutLayer>,
}

impl<L: HttpService> TransportBuilder<L> {
    pub(crate) fn new(leaf: L) -> Self {
        Self { leaf, trace: None, auth: None, retry: None, limit: None, breaker: None, timeout: None }
    }

    /// Records a span for each request.
    #[must_use]
    pub fn trace(mut self) -> Self {
        self.trace = Some(TraceLayer);
        self
    }

    /// Adds a key and default headers.
    #[must_use]
    pub fn auth(mut self, auth: AuthLayer) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Tries again when that may help.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(RetryLayer::new(policy));
        self
    }

    /// Lets at most `requests` be in flight, to the end of their response bodies; 0 counts as 1.
    #[must_use]
    pub fn concurrency_limit(mut self, requests: usize) -> Self {
        self.limit = Some(ConcurrencyLimitLayer::new(requests));
        self
    }

    /// Leaves a server alone for a while after it failed too often in a row.
    #[must_use]
    pub fn breaker(mut self, policy: BreakerPolicy) -> Self {
        self.breaker = Some(BreakerLayer::new(policy));
        self
    }

    /// Bounds the time until the headers of a response, for each try.
    #[must_use]
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(self.timeout.unwrap_or_default().headers(limit));
        self
    }

    /// Bounds the time until the first piece of a response body, for each try.
    #[must_use]
    pub fn first_byte_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(self.timeout.unwrap_or_default().first_byte(limit));
        self
    }

    /// Bounds the wait for each next piece of a response body.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(self.timeout.unwrap_or_default().idle(limit));
        self
    }

    /// The finished stack.
    #[must_use]
    pub fn build(self) -> Transport {
        let stack = option_layer(self.timeout).layer(self.leaf);
        let stack = option_layer(self.breaker).layer(stack);
        let stack = option_layer(self.limit).layer(stack);
        let stack = option_layer(self.retry).layer(stack);
        let stack = option_layer(self.auth).layer(stack);
        Transport::new(option_layer(self.trace).layer(stack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;
    use futures_util::FutureExt;
    use http::{Request, Response};

    fn request(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    /// Answers `/busy` with 503 until it is a retry; shows the key that it was given.
    async fn server(request: Request<Body>) -> Result<Response<Body>, crate::TransportError> {
        let headers = request.headers();
        let busy = request.uri().path() == "/busy" && !headers.contains_key("x-ropewalk-retry-count");
        let response = Response::builder().status(if busy { 503 } else { 200 }).header("retry-after", "10");
        Ok(response.body(Body::from(headers["authorization"].to_str().unwrap().to_owned())).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_between_tries_holds_no_place_and_each_try_has_the_key() {
        let transport = Transport::builder(tower::service_fn(server))
            .auth(AuthLayer::new().bearer(&"sk-1".into()).unwrap())
            .retry(RetryPolicy::default())
            .concurrency_limit(1)
            .header_timeout(Duration::from_secs(5))
            .build();
        let mut busy = Box::pin(transport.send(request("/busy")));
        assert!(busy.as_mut().now_or_never().is_none());
        assert!(transport.send(request("/free")).now_or_never().is_some());
        let response = busy.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect(100).await.unwrap(), "Bearer sk-1");
    }
}
