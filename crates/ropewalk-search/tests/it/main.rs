//! What the crate promises to those who use it.

mod chunks;
mod engine;
