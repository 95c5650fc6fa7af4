//! The client against small servers, over a socket and in this process.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod calls;
mod chunks;
mod lists;
mod resume;
mod streams;
mod stub;
mod tools;
mod wait;
