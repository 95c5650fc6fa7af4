//! What a request says of how it wants to be answered.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use ropewalk_runs::{BusyPolicy, TraceParent};

use crate::api_error::ApiError;

const BUSY: HeaderName = HeaderName::from_static("x-ropewalk-busy");
/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest wait; who asks for more waits so long.
const LONGEST_WAIT: u64 = 60;

/// What a request prefers, besides what its body says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// What happens to what it brings if the thread is busy.
    pub(crate) busy: Option<BusyPolicy>,
    /// How long its answer may wait for something to happen.
    pub(crate) wait: Option<Duration>,
    /// The number of the last event that the client has, if it was cut off from a stream of them.
    pub(crate) last_event: Option<u64>,
    /// The trace that it is part of.
    pub(crate) traceparent: Option<TraceParent>,
}

impl Preferences {
    /// What `headers` say; of the last event only if the answer is `events`, for other streams have ids of their own.
    ///
    /// # Errors
    ///
    /// 400 for a policy or an event that there is not. Of `Prefer` and `traceparent`, what is not understood is ignored,
    /// as their standards say.
    pub(crate) fn read(headers: &HeaderMap, events: bool) -> Result<Self, ApiError> {
        let policy = |value: &HeaderValue| {
            let word = String::from_utf8_lossy(value.as_bytes());
            word.parse().map_err(|_| {
                let message = format!(
                    "Invalid value: '{word}' in the header '{BUSY}'. Supported values are: 'reject', 'queue', and \
                     'interrupt'."
                );
                ApiError::bad_field(BUSY.as_str(), "invalid_value", message)
            })
        };
        let busy = headers.get(BUSY).map(policy).transpose()?;
        let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        let wait = preferences.flat_map(|value| value.split([',', ';'])).find_map(seconds);
        let wait = wait.map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT)));
        let last_event = headers.get(LAST_EVENT_ID).filter(|id| events && !id.is_empty());
        let last_event = last_event.map(number).transpose()?;
        let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Self { busy, wait, last_event, traceparent })
    }
}

/// The number of an event, which is its id.
fn number(id: &HeaderValue) -> Result<u64, ApiError> {
    let id = String::from_utf8_lossy(id.as_bytes());
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| id.parse().ok()).flatten().ok_or_else(|| {
        let message =
            format!("Invalid value: '{id}' in the header '{LAST_EVENT_ID}'. Expected the id of an event.");
        ApiError::bad_field(LAST_EVENT_ID.as_str(), "invalid_value", message)
    })
}

/// The seconds of `wait=30`.
fn seconds(preference: &str) -> Option<u64> {
    let (name, value) = preference.split_once('=')?;
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: HeaderName, value: &'static str) -> Result<Preferences, ApiError> {
        Preferences::read(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]), true)
    }

    #[test]
    fn a_wait_is_read_however_it_is_written_and_has_an_end() {
        for (value, seconds) in [
            ("wait=30", Some(30)),
            ("respond-async, Wait = \"5\"", Some(5)),
            ("wait=0", Some(0)),
            ("wait=86400", Some(60)),
            ("wait=soon", None),
            ("wait", None),
            ("return=minimal", None),
        ] {
            assert_eq!(read(PREFER, value).unwrap().wait, seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_policy_is_one_of_three_words() {
        for policy in BusyPolicy::ALL {
            assert_eq!(read(BUSY, policy.as_str()).unwrap().busy, Some(policy));
        }
        let refused = read(BUSY, "Queue!").unwrap_err();
        assert_eq!(refused.parts().0, Some("x-ropewalk-busy"));
    }

    #[test]
    fn the_last_event_is_named_by_its_number() {
        for (value, number) in [("0", Some(0)), ("17", Some(17)), ("", None)] {
            assert_eq!(read(LAST_EVENT_ID, value).unwrap().last_event, number, "{value}");
        }
        for value in ["-1", "+1", "1.5", "event_1", "1 2", "18446744073709551616"] {
            assert_eq!(read(LAST_EVENT_ID, value).unwrap_err().parts().0, Some("last-event-id"), "{value}");
        }
        let elsewhere = HeaderMap::from_iter([(LAST_EVENT_ID, HeaderValue::from_static("event_1"))]);
        assert_eq!(Preferences::read(&elsewhere, false).unwrap().last_event, None);
    }
}
