//! Searching vector stores, for the endpoint and for file_search.

use std::{collections::HashMap, time::Duration};

use ropewalk_search::{Hit, SearchQuery};
use ropewalk_store::{Kind, Scope};
use ropewalk_types::{
    FileId, SearchResult, SearchResultsPage, SearchVectorStore, TextContent, VectorStoreFile,
    VectorStoreFileStatus, VectorStoreId,
};
use tokio::time::{Instant, timeout_at};

use crate::{FileError, Library, record};

/// Results of a search that asks for no number (contract: BEHAVIOUR 12.1).
const DEFAULT_RESULTS: u32 = 10;
/// How often files that another process takes in are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How the search engine knows a vector store. The id comes last and has no slash.
pub(crate) fn collection(scope: &Scope, store: &VectorStoreId) -> String {
    format!("{}/{store}", scope.organization().as_str())
}

impl Library {
    /// Searches one vector store.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Expired`], [`FileError::Search`], [`FileError::Store`].
    pub async fn search(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        request: SearchVectorStore,
    ) -> Result<SearchResultsPage, FileError> {
        let ranking = request.ranking_options.unwrap_or_default();
        let query = SearchQuery::any(request.query.into_texts())
            .filter(request.filters)
            .max_results(request.max_num_results.unwrap_or(DEFAULT_RESULTS) as usize)
            .score_threshold(ranking.score_threshold.unwrap_or_default());
        let hits = self.find(scope, std::slice::from_ref(store), &query).await?;
        let result = |hit: Hit| SearchResult {
            file_id: hit.file_id,
            filename: hit.filename,
            score: hit.score,
            attributes: Some(hit.attributes),
            content: vec![TextContent::Text { text: hit.text }],
        };
        Ok(SearchResultsPage::new(query.queries, hits.into_iter().map(result).collect()))
    }

    /// Searches several vector stores; the hits of all, best first.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Expired`], [`FileError::Search`], [`FileError::Store`].
    pub async fn find(
        &self,
        scope: &Scope,
        stores: &[VectorStoreId],
        query: &SearchQuery,
    ) -> Result<Vec<Hit>, FileError> {
        let mut hits: Vec<Hit> = Vec::new();
        for store in stores {
            self.touch(scope, store).await?;
            let found = self.0.engine.search(&collection(scope, store), query.clone()).await?;
            let found = self.completed(scope, store, found).await?;
            // A file that lies in both stores is found once.
            let new =
                |hit: &Hit| !hits.iter().any(|known| known.file_id == hit.file_id && known.text == hit.text);
            let found: Vec<Hit> = found.into_iter().filter(new).collect();
            hits.extend(found);
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits.truncate(query.max_results);
        Ok(hits)
    }

    /// The hits in files that are in the store, and wholly so: what the store says counts. An engine may lag behind it.
    async fn completed(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        hits: Vec<Hit>,
    ) -> Result<Vec<Hit>, FileError> {
        let mut known: HashMap<FileId, bool> = HashMap::new();
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            let completed = match known.get(&hit.file_id) {
                Some(completed) => *completed,
                None => {
                    let place = scope.get(Kind::VectorStoreFile, &record::place(store, &hit.file_id)).await?;
                    let file = place.map(|place| place.decode::<VectorStoreFile>()).transpose()?;
                    file.is_some_and(|file| file.status == VectorStoreFileStatus::Completed)
                }
            };
            known.insert(hit.file_id.clone(), completed);
            if completed {
                found.push(hit);
            }
        }
        Ok(found)
    }

    /// Waits until no file of a vector store is being taken in, for `patience` at most.
    ///
    /// # Errors
    ///
    /// [`FileError::NoVectorStore`], [`FileError::Store`].
    pub async fn settled(
        &self,
        scope: &Scope,
        store: &VectorStoreId,
        patience: Duration,
    ) -> Result<(), FileError> {
        let end = Instant::now() + patience;
        let mut taken_in = self.0.taken_in.subscribe();
        while Instant::now() < end {
            taken_in.mark_unchanged();
            if self.vector_store(scope, store).await?.file_counts.in_progress == 0 {
                break;
            }
            let again = end.min(Instant::now() + LOOK_AGAIN);
            // Either way it is looked at again.
            let _ = timeout_at(again, taken_in.changed()).await;
        }
        Ok(())
    }
}
