//! The leaves against real servers on the loopback, and against a router in the same process.
#![cfg_attr(
    any(feature = "direct", feature = "reqwest"),
    expect(clippy::unwrap_used, reason = "a server of the test that fails is a failed test")
)]

#[cfg(feature = "direct")]
mod direct;
mod in_process;
#[cfg(any(feature = "direct", feature = "reqwest"))]
mod leaves;
#[cfg(any(feature = "direct", feature = "reqwest"))]
mod server;
