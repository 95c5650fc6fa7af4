//! A library as its users see it.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod engine;
mod files;
mod races;
mod uploads;
mod vector_stores;
mod world;
