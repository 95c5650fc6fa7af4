#![doc = include_str!("../README.md")]

mod attach;
mod batches;
mod error;
mod files;
mod incoming;
mod ingest;
mod library;
mod measures;
pub mod record;
mod resources;
mod search;
mod store_engine;
mod tally;
mod uploads;
mod vector_store_files;
mod vector_stores;
mod worker;

pub use error::FileError;
pub use files::EXTENSIONS;
pub use incoming::Incoming;
pub use library::{Library, LibraryOptions};
pub use measures::describe_metrics;
pub use resources::Prepared;
pub use store_engine::StoreEngine;
