//! What a server tells of itself: its log, its metrics and its traces, while it does what servers do.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod collector;
mod logs;
mod metrics;
mod traces;
mod upstream;
mod watched;
