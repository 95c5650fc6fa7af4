//! Where an embedded runtime keeps its objects: [`ropewalk-store`](ropewalk_store), by its own names.

#[cfg(feature = "testing")]
pub use ropewalk_store::MockBackend;
pub use ropewalk_store::{Backend, BlobBackend, Blobs, MemoryBackend, SqliteBackend, Store, StoreError};
