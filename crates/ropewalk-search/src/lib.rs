#![doc = include_str!("../README.md")]

mod chunker;
pub mod contract;
mod engine;
mod error;
mod extract;
mod filter;
mod memory;
mod rank;
mod words;

pub use chunker::{ChunkSizeError, Chunker};
pub use engine::{Hit, IndexedFile, SearchEngine, SearchQuery};
pub use error::{BoxError, SearchError};
pub use extract::{EXTENSIONS, ExtractError, MAX_FILE_BYTES, MAX_TEXT_TOKENS, check, extract};
pub use filter::matches;
pub use memory::MemoryEngine;
pub use rank::{Best, Corpus, RankQuery, Ranker};
