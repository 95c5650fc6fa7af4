//! What the store promises, on each backend.

mod memory;
mod model;
mod sqlite;
