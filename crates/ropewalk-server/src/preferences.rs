//! What a request says of how it wants to be answered.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use ropewalk_runs::BusyPolicy;

use crate::api_error::ApiError;

const BUSY: HeaderName = HeaderName::from_static("x-ropewalk-busy");
/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Longest wait; who asks for more waits so long.
const LONGEST_WAIT: u64 = 60;

/// What a request prefers, besides what its body says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// What happens to what it brings if the thread is busy.
    pub(crate) busy: Option<BusyPolicy>,
    /// How long its answer may wait for something to happen.
    pub(crate) wait: Option<Duration>,
}

impl Preferences {
    /// What `headers` say.
    ///
    /// # Errors
    ///
    /// 400 for a policy that there is not. Of `Prefer`, what is not understood is ignored, as its standard says.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let policy = |value: &http::HeaderValue| {
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
        Ok(Self { busy, wait: wait.map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT))) })
    }
}

/// The seconds of `wait=30`.
fn seconds(preference: &str) -> Option<u64> {
    let (name, value) = preference.split_once('=')?;
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(name: HeaderName, value: &'static str) -> Result<Preferences, ApiError> {
        Preferences::read(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
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
}
