//! The engine over a real store, a scripted model, and time that stands still until everybody waits.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod admission;
mod busy;
mod clock;
mod events;
mod gated;
mod library;
mod life;
mod limits;
mod recovery;
mod streams;
mod tools;
mod world;
