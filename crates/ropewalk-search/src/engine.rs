use std::fmt::Debug;

use async_trait::async_trait;
use ropewalk_types::{Attributes, FileId, Filter};

use crate::SearchError;

/// Finds the chunks of files that fit a query.
///
/// Files live in collections. The name of a collection is the caller's: engines keep collections apart by it and read
/// nothing into it.
///
/// # Contract
///
/// - **Whole:** indexing a file replaces all that it had, chunks, name and attributes; a search sees the old or the
///   new.
/// - **Visible:** what was acknowledged is seen by every later search.
/// - **Separate:** no call sees or touches another collection. One that nothing was put into is empty, not an error.
/// - **Forgiving:** what is not there can be removed, dropped and given attributes; nothing happens.
/// - **Filtered first:** only files that pass the filter ([`matches`](crate::matches)) are ranked, so `max_results` are
///   found if there are so many.
/// - **Best first:** hits are in falling order of score, each score from 0 to 1 and at least the threshold. Equal
///   scores are ordered by file id, then chunk. The same search on the same files has the same hits.
/// - **Cancel-safe:** a dropped future leaves a change wholly done or not at all.
///
/// [`contract::check`](crate::contract::check) holds an engine to it.
#[async_trait]
pub trait SearchEngine: Debug + Send + Sync + 'static {
    /// Puts a file into the collection, in place of what the collection has of it.
    async fn index(&self, collection: &str, file: IndexedFile) -> Result<(), SearchError>;

    /// Replaces the attributes of a file as a whole.
    async fn set_attributes(
        &self,
        collection: &str,
        file: &FileId,
        attributes: Attributes,
    ) -> Result<(), SearchError>;

    /// Takes a file out of the collection.
    async fn remove(&self, collection: &str, file: &FileId) -> Result<(), SearchError>;

    /// Takes all files out of the collection.
    async fn drop_collection(&self, collection: &str) -> Result<(), SearchError>;

    /// The chunks that fit the query best.
    async fn search(&self, collection: &str, query: SearchQuery) -> Result<Vec<Hit>, SearchError>;
}

/// A file as a search engine knows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexedFile {
    /// Its id.
    pub file_id: FileId,
    /// Its name, which hits carry.
    pub filename: String,
    /// Facts about it, to filter by.
    pub attributes: Attributes,
    /// Its text, cut: see [`Chunker`](crate::Chunker).
    pub chunks: Vec<String>,
}

impl IndexedFile {
    /// A file without attributes.
    pub fn new(file_id: FileId, filename: impl Into<String>, chunks: Vec<String>) -> Self {
        Self { file_id, filename: filename.into(), attributes: Attributes::new(), chunks }
    }

    /// Facts about it.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SearchQuery {
    /// Texts; a chunk is as good as the one that it fits best.
    pub queries: Vec<String>,
    /// Which files to look at; all if absent.
    pub filter: Option<Filter>,
    /// Most hits.
    pub max_results: usize,
    /// Least score of a hit, 0 to 1.
    pub score_threshold: f64,
}

impl SearchQuery {
    /// Looks for one text: up to 10 hits, in all files.
    pub fn new(query: impl Into<String>) -> Self {
        Self::any([query.into()])
    }

    /// Looks for any of several texts.
    pub fn any(queries: impl IntoIterator<Item = String>) -> Self {
        Self { queries: queries.into_iter().collect(), filter: None, max_results: 10, score_threshold: 0.0 }
    }

    /// Looks only at files that pass the filter.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Option<Filter>>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Finds so many chunks at most.
    #[must_use]
    pub fn max_results(mut self, max_results: usize) -> Self {
        self.max_results = max_results;
        self
    }

    /// Leaves out what scores less.
    #[must_use]
    pub fn score_threshold(mut self, score: f64) -> Self {
        self.score_threshold = score;
        self
    }
}

/// A chunk that was found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Hit {
    /// The file that it is of.
    pub file_id: FileId,
    /// The file's name.
    pub filename: String,
    /// How well it fits, 0 to 1.
    pub score: f64,
    /// The file's attributes.
    pub attributes: Attributes,
    /// Its text.
    pub text: String,
    /// Which chunk of the file it is, from 0.
    pub chunk: usize,
}

impl Hit {
    /// A hit in a file without attributes.
    pub fn new(
        file_id: FileId,
        filename: impl Into<String>,
        chunk: usize,
        text: impl Into<String>,
        score: f64,
    ) -> Self {
        Self {
            file_id,
            filename: filename.into(),
            score,
            attributes: Attributes::new(),
            text: text.into(),
            chunk,
        }
    }

    /// The file's attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}
