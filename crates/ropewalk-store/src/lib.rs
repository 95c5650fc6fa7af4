#![doc = include_str!("../README.md")]

mod backend;
mod batch;
pub mod contract;
mod document;
mod error;
mod ids;
mod list;
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
pub use document::{Document, Kind};
pub use error::{BoxError, StoreError};
pub use ids::TimeOrderedIds;
pub use list::{DocumentPage, ListRequest};
pub use memory::MemoryBackend;
pub use organization::Organization;
pub use scope::Scope;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteBackend;
pub use store::{Claim, Store};
