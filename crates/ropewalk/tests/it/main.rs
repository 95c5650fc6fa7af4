//! The whole of Ropewalk through its facade.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod broken_line;
mod conversation;
mod persistence;
