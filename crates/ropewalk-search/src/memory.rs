use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use ropewalk_types::{Attributes, FileId};

use crate::{Best, Hit, IndexedFile, RankQuery, SearchEngine, SearchError, SearchQuery, matches};

/// An engine that keeps everything in memory and ranks exactly, by words: see [`Ranker`](crate::Ranker).
///
/// Chunks that have no word of the query are no hits. The statistics are those of the files that pass the filter. A
/// search reads all their chunks twice, on a thread of tokio's for blocking work.
#[derive(Default)]
pub struct MemoryEngine {
    collections: RwLock<HashMap<String, Files>>,
}

type Files = BTreeMap<FileId, Arc<IndexedFile>>;

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine").field("collections", &self.collections.read().len()).finish()
    }
}

#[async_trait]
impl SearchEngine for MemoryEngine {
    async fn index(&self, collection: &str, file: IndexedFile) -> Result<(), SearchError> {
        let mut collections = self.collections.write();
        collections.entry(collection.to_owned()).or_default().insert(file.file_id.clone(), Arc::new(file));
        Ok(())
    }

    async fn set_attributes(
        &self,
        collection: &str,
        file: &FileId,
        attributes: Attributes,
    ) -> Result<(), SearchError> {
        let mut collections = self.collections.write();
        if let Some(file) = collections.get_mut(collection).and_then(|files| files.get_mut(file)) {
            Arc::make_mut(file).attributes = attributes;
        }
        Ok(())
    }

    async fn remove(&self, collection: &str, file: &FileId) -> Result<(), SearchError> {
        let mut collections = self.collections.write();
        if let Some(files) = collections.get_mut(collection) {
            files.remove(file);
            if files.is_empty() {
                collections.remove(collection);
            }
        }
        Ok(())
    }

    async fn drop_collection(&self, collection: &str) -> Result<(), SearchError> {
        self.collections.write().remove(collection);
        Ok(())
    }

    async fn search(&self, collection: &str, query: SearchQuery) -> Result<Vec<Hit>, SearchError> {
        let candidates: Vec<_> = match self.collections.read().get(collection) {
            Some(files) => files.values().filter(|file| passes(file, &query)).cloned().collect(),
            None => return Ok(Vec::new()),
        };
        tokio::task::spawn_blocking(move || find(&candidates, &query))
            .await
            .map_err(|error| SearchError::Engine("memory", error.into()))
    }
}

fn passes(file: &IndexedFile, query: &SearchQuery) -> bool {
    query.filter.as_ref().is_none_or(|filter| matches(filter, &file.attributes))
}

fn find(files: &[Arc<IndexedFile>], query: &SearchQuery) -> Vec<Hit> {
    let words = RankQuery::new(&query.queries);
    if words.is_empty() {
        return Vec::new();
    }
    let mut corpus = words.corpus();
    files.iter().flat_map(|file| &file.chunks).for_each(|chunk| corpus.add(chunk));
    let ranker = corpus.ranker();

    let mut best = Best::new(query.max_results);
    for file in files {
        for (place, chunk) in file.chunks.iter().enumerate() {
            let score = ranker.score(chunk);
            if score >= query.score_threshold {
                best.offer(score, (&file.file_id, place), (file, chunk));
            }
        }
    }
    let hit = |(score, (id, place), (file, chunk)): (f64, (&FileId, usize), (&Arc<IndexedFile>, &String))| {
        Hit::new(id.clone(), &file.filename, place, chunk, score).attributes(file.attributes.clone())
    };
    best.into_sorted().into_iter().map(hit).collect()
}
