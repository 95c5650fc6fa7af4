//! What the store promises, on each backend.

#[cfg(feature = "sqlite")]
mod beside;
mod blobs;
mod memory;
#[cfg(feature = "sqlite")]
mod model;
#[cfg(feature = "sqlite")]
mod sqlite;
