//! What the store promises, on each backend.

mod memory;
#[cfg(feature = "sqlite")]
mod model;
#[cfg(feature = "sqlite")]
mod sqlite;
