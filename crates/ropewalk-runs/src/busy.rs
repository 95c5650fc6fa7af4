use std::{fmt, str::FromStr};

/// What becomes of a run or a message that comes to a thread whose run is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum BusyPolicy {
    /// It is refused, as the API says.
    #[default]
    Reject,
    /// It waits behind all that came before it.
    Queue,
    /// The active run is cancelled first, and so are those that waited to interrupt it. What waits otherwise stays
    /// behind.
    Interrupt,
}

impl BusyPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reject, Self::Queue, Self::Interrupt];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Queue => "queue",
            Self::Interrupt => "interrupt",
        }
    }
}

impl fmt::Display for BusyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of `reject`, `queue` and `interrupt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `reject`, `queue` or `interrupt`")]
pub struct UnknownBusyPolicy;

impl FromStr for BusyPolicy {
    type Err = UnknownBusyPolicy;

    fn from_str(word: &str) -> Result<Self, UnknownBusyPolicy> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or(UnknownBusyPolicy)
    }
}
