#![doc = include_str!("../README.md")]

mod backend;
mod batch;
mod blobs;
mod clock;
pub mod contract;
mod disk;
mod document;
mod error;
mod filter;
mod ids;
mod kind;
mod list;
#[cfg(feature = "sqlite")]
mod measures;
mod memory;
mod organization;
mod scope;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(feature = "testing")]
pub use backend::MockBackend;
pub use backend::{Backend, Lease};
pub use batch::{Batch, Durability, Expect, Operation, Put};
pub use blobs::{BlobBackend, BlobInfo, BlobReader, BlobSink, BlobWriter, Blobs, FolderBlobs, MemoryBlobs};
#[cfg(feature = "testing")]
pub use blobs::{MockBlobBackend, MockBlobSink};
pub use clock::{Clock, SteadyClock, SystemClock};
pub use document::Document;
pub use error::{BoxError, StoreError};
pub use filter::ListFilter;
pub use ids::TimeOrderedIds;
pub use kind::Kind;
pub use list::{DocumentPage, ListRequest};
#[cfg(feature = "sqlite")]
pub use measures::describe_metrics;
pub use memory::MemoryBackend;
pub use organization::Organization;
pub use scope::Scope;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteBackend;
pub use store::{Claim, Store};
