//! The engine over a real store, a scripted model, and time that stands still until everybody waits.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod life;
mod recovery;
mod streams;
mod world;
