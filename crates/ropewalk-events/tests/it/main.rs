//! The public behaviour of the crate: laws, and transcripts of whole streams.
#![cfg(test)]

mod codec;
mod dispatcher;
mod grammar;
mod snapshot;
mod story;
mod streams;
