//! The engine over a real store, a scripted model, and time that stands still until everybody waits.

mod life;
mod recovery;
mod streams;
mod world;
