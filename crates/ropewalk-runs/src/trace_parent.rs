use std::{fmt, num::NonZero, str::FromStr};

use serde::{Deserialize, Serialize};

/// The header `traceparent`: which trace a run belongs to, and the span in it that asked for the run.
///
/// # Source
///
/// W3C Trace Context, level 1.
///
/// ```
/// # use ropewalk_runs::TraceParent;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// assert_eq!(header.parse::<TraceParent>()?.to_string(), header);
/// # Ok::<(), ropewalk_runs::NoTraceParent>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace: NonZero<u128>,
    span: NonZero<u64>,
    flags: u8,
}

/// A header `traceparent` that says nothing: it is to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form `00-TRACE-SPAN-FLAGS`")]
pub struct NoTraceParent;

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        fn hex(part: Option<&str>, digits: usize) -> Result<&str, NoTraceParent> {
            let is_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            part.filter(|part| part.len() == digits).filter(is_hex).ok_or(NoTraceParent)
        }
        let mut parts = text.split('-');
        let version = hex(parts.next(), 2)?;
        let trace = u128::from_str_radix(hex(parts.next(), 32)?, 16).map_err(|_| NoTraceParent)?;
        let span = u64::from_str_radix(hex(parts.next(), 16)?, 16).map_err(|_| NoTraceParent)?;
        let flags = u8::from_str_radix(hex(parts.next(), 2)?, 16).map_err(|_| NoTraceParent)?;
        // Later versions may say more behind what this one says.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(NoTraceParent);
        }
        let (trace, span) = NonZero::new(trace).zip(NonZero::new(span)).ok_or(NoTraceParent)?;
        Ok(Self { trace, span, flags })
    }
}

impl TryFrom<String> for TraceParent {
    type Error = NoTraceParent;

    fn try_from(text: String) -> Result<Self, NoTraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags in any::<u8>()) {
            let header = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            prop_assert_eq!(header.parse::<TraceParent>().unwrap().to_string(), header);
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".{0,80}") {
            let _either = text.parse::<TraceParent>();
        }
    }

    #[test]
    fn what_the_standard_forbids_says_nothing() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for header in [
            format!("ff-{trace}-{span}-01"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-+{}-01", &span[1..]),
            String::new(),
        ] {
            assert_eq!(header.parse::<TraceParent>(), Err(NoTraceParent), "{header}");
        }
        assert!(format!("01-{trace}-{span}-01-more").parse::<TraceParent>().is_ok(), "a later version");
    }
}
