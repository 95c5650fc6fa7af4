use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

/// When to try again, and how long to wait before.
///
/// The wait before retry `n`, counted from 0, is `base * 2^n`, at most `max`, shortened by chance to no less than
/// 75 %. A wait that the server names wins, if it is not longer than `max_server_wait`.
///
/// # Source
///
/// Numbers, statuses and headers are those of the official OpenAI SDKs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Tries beyond the first; 2 unless set.
    pub max_retries: u32,
    /// The backoff before the first retry; 0.5 s unless set.
    pub base: Duration,
    /// The longest backoff, and the longest wait for a server that a breaker leaves alone; 8 s unless set.
    pub max: Duration,
    /// The longest wait accepted from a server; 60 s unless set.
    pub max_server_wait: Duration,
    /// The time for all tries and waits together, those that the server names too, until the headers of the response;
    /// unbounded unless set. A wait that would go beyond it is not begun.
    pub deadline: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            base: Duration::from_millis(500),
            max: Duration::from_secs(8),
            max_server_wait: Duration::from_secs(60),
            deadline: None,
        }
    }
}

impl RetryPolicy {
    /// Sets how many tries may follow the first.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets the first and the longest backoff.
    #[must_use]
    pub fn backoff(mut self, base: Duration, max: Duration) -> Self {
        (self.base, self.max) = (base, max);
        self
    }

    /// Sets the longest wait accepted from a server.
    #[must_use]
    pub fn max_server_wait(mut self, wait: Duration) -> Self {
        self.max_server_wait = wait;
        self
    }

    /// Bounds all tries and waits together.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Whether a response asks for another try: by `x-should-retry`, else by status 408, 409, 429 or 5xx.
    #[must_use]
    pub fn is_retryable(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        match text(headers, "x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 429),
        }
    }

    /// The wait before retry `attempt`, counted from 0.
    ///
    /// `headers` are those of the failed response, empty if there was none; `now` is what dates are compared to;
    /// `jitter` in `0.0..=1.0` shortens the backoff by up to a quarter.
    #[must_use]
    pub fn delay(&self, attempt: u32, headers: &HeaderMap, now: SystemTime, jitter: f64) -> Duration {
        let backoff = || {
            let full = self.base.saturating_mul(2_u32.saturating_pow(attempt)).min(self.max);
            let seconds = full.as_secs_f64() * (1.0 - 0.25 * jitter.clamp(0.0, 1.0));
            Duration::try_from_secs_f64(seconds).unwrap_or(full)
        };
        server_wait(headers, now)
            .filter(|wait| !wait.is_zero() && *wait <= self.max_server_wait)
            .unwrap_or_else(backoff)
    }
}

/// What the server asks for: `retry-after-ms`, else `retry-after` in seconds or as a date.
fn server_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let seconds = |name| text(headers, name)?.trim().parse::<f64>().ok();
    let wait = seconds("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| seconds("retry-after"));
    match wait {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => httpdate::parse_http_date(text(headers, "retry-after")?).ok()?.duration_since(now).ok(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn delay_ms(pairs: &[(&'static str, &str)]) -> u128 {
        RetryPolicy::default().delay(0, &headers(pairs), NOW, 0.0).as_millis()
    }

    #[test]
    fn the_backoff_doubles_up_to_its_maximum() {
        let policy = RetryPolicy::default();
        let delay = |attempt, jitter| policy.delay(attempt, &HeaderMap::new(), NOW, jitter).as_millis();
        assert_eq!([0, 1, 2, 3, 4, 5, 40].map(|n| delay(n, 0.0)), [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!([0, 1, 4].map(|n| delay(n, 1.0)), [375, 750, 6000]);
    }

    #[test]
    fn the_server_names_the_wait_in_three_ways() {
        assert_eq!(delay_ms(&[("retry-after-ms", "20.5"), ("retry-after", "3")]), 20);
        assert_eq!(delay_ms(&[("retry-after", "1.25")]), 1250);
        assert_eq!(delay_ms(&[("retry-after-ms", "soon"), ("retry-after", "3")]), 3000);
        assert_eq!(delay_ms(&[("retry-after", "Thu, 01 Jan 1970 00:00:30 GMT")]), 30_000);
    }

    #[test]
    fn a_wait_that_makes_no_sense_gives_way_to_the_backoff() {
        for value in ["0", "-1", "nan", "inf", "1e300", "61", "", "later", "Thu, 01 Jan 1970 01:00:00 GMT"] {
            assert_eq!(delay_ms(&[("retry-after", value)]), 500, "{value}");
        }
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let date = headers(&[("retry-after", "Thu, 01 Jan 1970 00:00:30 GMT")]);
        assert_eq!(RetryPolicy::default().delay(0, &date, past, 0.0).as_millis(), 500);
    }

    #[test]
    fn the_server_overrules_the_status() {
        let policy = RetryPolicy::default();
        let asks = |status: u16, pairs: &[_]| {
            policy.is_retryable(StatusCode::from_u16(status).unwrap(), &headers(pairs))
        };
        assert!([408, 409, 429, 500, 503, 599].into_iter().all(|status| asks(status, &[])));
        assert!(![200, 302, 400, 401, 404, 422].into_iter().any(|status| asks(status, &[])));
        assert!(asks(400, &[("x-should-retry", "true")]));
        assert!(!asks(503, &[("x-should-retry", "false")]));
        assert!(asks(503, &[("x-should-retry", "perhaps")]));
    }

    proptest! {
        /// Whatever a server says, the wait is bounded and never zero.
        #[test]
        fn every_delay_is_bounded(attempt: u32, jitter: f64, wait in "\\PC{0,12}|[0-9.e]{1,9}", ms: bool) {
            let policy = RetryPolicy::default();
            let name = if ms { "retry-after-ms" } else { "retry-after" };
            let value = HeaderValue::from_bytes(wait.as_bytes()).ok();
            let headers = value.map(|value| (name.parse().unwrap(), value)).into_iter().collect();
            let delay = policy.delay(attempt, &headers, NOW, jitter);
            prop_assert!(!delay.is_zero() && delay <= policy.max_server_wait, "{delay:?}");
        }
    }
}
