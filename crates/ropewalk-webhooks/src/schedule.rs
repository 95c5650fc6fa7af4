//! When a delivery that failed is tried again.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The waits between tries (Standard Webhooks 1.0.0, "Deliverability and reliability"): ten tries in three days.
const DELAYS: [Duration; 9] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];
/// The longest wait that a receiver may ask for.
const LONGEST: Duration = minutes(24 * 60);

/// How long to wait after so many tries failed, the last of which asked for `retry_after`; `None` if that was the last.
///
/// A wait is up to a tenth longer than the schedule says, so that what failed together does not come together again.
pub(crate) fn delay(failed: u32, retry_after: Option<Duration>) -> Option<Duration> {
    let delay = *DELAYS.get(usize::try_from(failed).ok()?.checked_sub(1)?)?;
    let delay = delay.max(retry_after.unwrap_or_default());
    Some(delay.mul_f64(1.0 + rand::random::<f64>() / 10.0))
}

/// What `Retry-After` asks for, in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let asked = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(asked.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_tries_take_three_days_and_a_little() {
        let waits: Vec<Duration> = (1..).map_while(|failed| delay(failed, None)).collect();
        assert_eq!(waits.len(), 9);
        let (whole, planned): (Duration, Duration) = (waits.iter().sum(), DELAYS.iter().sum());
        assert_eq!(planned, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
        assert!(whole >= planned && whole <= planned.mul_f64(1.1));
        assert_eq!(delay(0, None), None);
    }

    proptest! {
        /// A receiver may ask for more patience, never for less, and not for ever.
        #[test]
        fn a_wait_is_never_shorter_than_planned(failed in 1..=9_u32, asked in 0..200_000_u64) {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, asked.to_string().parse().unwrap())]);
            let asked = Duration::from_secs(asked).min(LONGEST);
            prop_assert_eq!(retry_after(&headers, SystemTime::now()), Some(asked));
            let least = DELAYS[failed as usize - 1].max(asked);
            let wait = delay(failed, Some(asked)).unwrap();
            prop_assert!(wait >= least && wait <= least.mul_f64(1.1));
        }

        #[test]
        fn no_header_breaks_it(value in "\\PC*") {
            if let Ok(value) = value.parse() {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
                prop_assert!(retry_after(&headers, SystemTime::now()).is_none_or(|wait| wait <= LONGEST));
            }
        }
    }

    #[test]
    fn a_date_is_understood() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let at = |at: SystemTime| {
            HeaderMap::from_iter([(RETRY_AFTER, httpdate::fmt_http_date(at).parse().unwrap())])
        };
        assert_eq!(retry_after(&at(now + minutes(3)), now), Some(minutes(3)));
        assert_eq!(retry_after(&at(now - minutes(3)), now), Some(Duration::ZERO));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
