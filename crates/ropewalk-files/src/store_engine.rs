use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ropewalk_search::{
    Best, BoxError, Hit, IndexedFile, RankQuery, SearchEngine, SearchError, SearchQuery, matches,
};
use ropewalk_store::{Batch, Expect, Kind, ListRequest, Organization, Put, Scope, Store, StoreError};
use ropewalk_types::{Attributes, FileId, Order};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::Semaphore, task::spawn_blocking};

use crate::record::wire;

/// Bytes of text that lie together in one document.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks read in one go.
const BLOCKS: usize = 16;
/// Searches at once; others wait.
const SEARCHES: usize = 2;
/// Tries of a change that others keep getting ahead of.
const TRIES: usize = 20;

/// A search engine that keeps chunks beside everything else in the store, and ranks exactly, by words: see
/// [`Ranker`](ropewalk_search::Ranker).
///
/// It needs nothing to be set up, and a search reads all chunks of the files that pass the filter, twice: good for
/// thousands of chunks, not for millions. A collection is `{organisation}/{vector store}`.
#[derive(Debug, Clone)]
pub struct StoreEngine {
    store: Store,
    /// Searches under way: each takes a processor.
    searches: Arc<Semaphore>,
}

/// What is known of an indexed file, but for its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    file_id: FileId,
    filename: String,
    attributes: Attributes,
}

/// Some chunks of a file, one behind the other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Block {
    /// Which chunk of the file the first one is.
    first: usize,
    chunks: Vec<String>,
}

/// A collection as the store knows it.
struct Place {
    scope: Scope,
    /// Parent of all headers: the vector store.
    parent: String,
}

impl Place {
    fn header(&self, file: &FileId) -> String {
        format!("{}/{file}", self.parent)
    }
}

impl StoreEngine {
    /// An engine over the documents of `store`.
    pub fn new(store: Store) -> Self {
        Self { store, searches: Arc::new(Semaphore::new(SEARCHES)) }
    }

    fn place(&self, collection: &str) -> Place {
        let (organization, parent) = collection.rsplit_once('/').unwrap_or(("", collection));
        Place { scope: self.store.scope(Organization::new(organization)), parent: parent.to_owned() }
    }
}

#[async_trait]
impl SearchEngine for StoreEngine {
    async fn index(&self, collection: &str, file: IndexedFile) -> Result<(), SearchError> {
        let place = self.place(collection);
        let id = place.header(&file.file_id);
        let chunks = file.chunks;
        let blocks = spawn_blocking(move || blocks(chunks)).await.map_err(lost)?;
        let header = Header { file_id: file.file_id, filename: file.filename, attributes: file.attributes };
        for _ in 0..TRIES {
            let mut batch = Batch::new();
            if let Some(old) = place.scope.get(Kind::IndexedFile, &id).await.map_err(broken)? {
                batch = batch
                    .require_version(Kind::IndexedFile, &*id, old.version)
                    .delete_tree(Kind::IndexedFile, &*id);
            }
            batch = batch.put(put_header(&place, &id, &header).expect(Expect::Absent));
            for (number, block) in blocks.iter().enumerate() {
                let put = Put::new(Kind::Chunk, format!("{id}/{number}"), 0, block.clone()).parent(&*id);
                batch = batch.put(put);
            }
            match place.scope.commit(batch).await {
                Err(
                    StoreError::Conflict { .. }
                    | StoreError::AlreadyExists { .. }
                    | StoreError::Missing { .. },
                ) => {}
                done => return done.map_err(broken),
            }
        }
        Err(broken(StoreError::Busy))
    }

    async fn set_attributes(
        &self,
        collection: &str,
        file: &FileId,
        attributes: Attributes,
    ) -> Result<(), SearchError> {
        let place = self.place(collection);
        let id = place.header(file);
        for _ in 0..TRIES {
            let Some(document) = place.scope.get(Kind::IndexedFile, &id).await.map_err(broken)? else {
                return Ok(());
            };
            let header = Header { attributes: attributes.clone(), ..document.decode().map_err(broken)? };
            let put = put_header(&place, &id, &header).expect(Expect::Version(document.version));
            match place.scope.commit(Batch::new().put(put)).await {
                Err(StoreError::Conflict { .. } | StoreError::Missing { .. }) => {}
                done => return done.map_err(broken),
            }
        }
        Err(broken(StoreError::Busy))
    }

    async fn remove(&self, collection: &str, file: &FileId) -> Result<(), SearchError> {
        let place = self.place(collection);
        match place.scope.commit(Batch::new().delete_tree(Kind::IndexedFile, place.header(file))).await {
            Err(StoreError::Missing { .. }) => Ok(()),
            done => done.map_err(broken),
        }
    }

    async fn drop_collection(&self, collection: &str) -> Result<(), SearchError> {
        let place = self.place(collection);
        let first = ListRequest::new(Kind::IndexedFile).parent(&*place.parent).limit(100);
        loop {
            let headers = place.scope.list(&first).await.map_err(broken)?.documents;
            if headers.is_empty() {
                return Ok(());
            }
            for header in headers {
                match place.scope.commit(Batch::new().delete_tree(Kind::IndexedFile, header.id)).await {
                    Err(StoreError::Missing { .. }) => {}
                    done => done.map_err(broken)?,
                }
            }
        }
    }

    async fn search(&self, collection: &str, query: SearchQuery) -> Result<Vec<Hit>, SearchError> {
        let place = self.place(collection);
        let permit = self.searches.clone().acquire_owned().await.map_err(lost)?;
        let runtime = Handle::current();
        // Ranking is work: it must not hold up the threads that serve others.
        let search = move || {
            let hits = runtime.block_on(place.search(&query));
            drop(permit);
            hits
        };
        spawn_blocking(search).await.map_err(lost)?.map_err(broken)
    }
}

impl Place {
    async fn search(&self, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
        let words = RankQuery::new(&query.queries);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let headers = self.headers(query).await?;
        let mut corpus = words.corpus();
        for header in &headers {
            self.read(header, |_, chunk| corpus.add(&chunk)).await?;
        }
        let ranker = corpus.ranker();
        let mut best = Best::new(query.max_results);
        for header in &headers {
            let offer = |number: usize, chunk: String| {
                let score = ranker.score(&chunk);
                if score >= query.score_threshold {
                    best.offer(score, (&header.file_id, number), (header, chunk));
                }
            };
            self.read(header, offer).await?;
        }
        let hit = |(score, (id, number), (header, chunk)): (f64, (&FileId, usize), (&Header, String))| {
            Hit::new(id.clone(), &header.filename, number, chunk, score).attributes(header.attributes.clone())
        };
        Ok(best.into_sorted().into_iter().map(hit).collect())
    }

    /// The files that pass the query's filter.
    async fn headers(&self, query: &SearchQuery) -> Result<Vec<Header>, StoreError> {
        let mut headers = Vec::new();
        let mut request =
            ListRequest::new(Kind::IndexedFile).parent(&*self.parent).limit(100).order(Order::Asc);
        loop {
            let page = self.scope.list(&request).await?;
            for document in &page.documents {
                let header: Header = document.decode()?;
                if query.filter.as_ref().is_none_or(|filter| matches(filter, &header.attributes)) {
                    headers.push(header);
                }
            }
            match page.documents.last() {
                Some(last) if page.has_more => request.after = Some(last.id.clone()),
                _ => return Ok(headers),
            }
        }
    }

    /// Hands each chunk of a file to `take`, with its number. A file that is replaced meanwhile may be read in part.
    async fn read(&self, header: &Header, mut take: impl FnMut(usize, String)) -> Result<(), StoreError> {
        let parent = self.header(&header.file_id);
        let mut request = ListRequest::new(Kind::Chunk).parent(parent).limit(BLOCKS).order(Order::Asc);
        loop {
            let page = match self.scope.list(&request).await {
                Err(StoreError::UnknownCursor { .. }) => return Ok(()),
                page => page?,
            };
            for document in &page.documents {
                let Block { first, chunks } = document.decode()?;
                chunks.into_iter().enumerate().for_each(|(place, chunk)| take(first + place, chunk));
            }
            match page.documents.last() {
                Some(last) if page.has_more => request.after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }
}

fn put_header(place: &Place, id: &str, header: &Header) -> Put {
    Put::new(Kind::IndexedFile, id, 0, wire(header)).parent(&*place.parent)
}

/// The chunks in blocks, each as it is stored.
fn blocks(chunks: Vec<String>) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    let mut block = Block::default();
    let mut bytes = 0;
    for (number, chunk) in chunks.into_iter().enumerate() {
        if bytes + chunk.len() > BLOCK_BYTES && bytes > 0 {
            blocks.push(wire(&block));
            block = Block { first: number, chunks: Vec::new() };
            bytes = 0;
        }
        bytes += chunk.len();
        block.chunks.push(chunk);
    }
    if !block.chunks.is_empty() {
        blocks.push(wire(&block));
    }
    blocks
}

fn broken(error: StoreError) -> SearchError {
    SearchError::Engine("store", BoxError::from(error))
}

fn lost(error: impl std::error::Error + Send + Sync + 'static) -> SearchError {
    SearchError::Engine("store", error.into())
}
