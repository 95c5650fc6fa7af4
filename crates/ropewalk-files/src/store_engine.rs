use async_trait::async_trait;
use ropewalk_search::{
    Best, BoxError, Hit, IndexedFile, RankQuery, SearchEngine, SearchError, SearchQuery, matches,
};
use ropewalk_store::{Batch, Expect, Kind, ListRequest, Organization, Put, Scope, Store, StoreError};
use ropewalk_types::{Attributes, FileId, Order};
use serde::{Deserialize, Serialize};

use crate::record::wire;

/// Bytes of text that lie together in one document.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks read in one go.
const BLOCKS: usize = 16;
/// Tries of a change that others keep getting ahead of.
const TRIES: usize = 20;

/// A search engine that keeps chunks beside everything else in the store, and ranks exactly, by words: see
/// [`Ranker`](ropewalk_search::Ranker).
///
/// It needs nothing to be set up, and a search reads all chunks of the files that pass the filter, twice: good for
/// thousands of chunks, not for millions. A collection is `{organisation}/{vector store}`.
#[derive(Debug, Clone)]
pub struct StoreEngine(Store);

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
        Self(store)
    }

    fn place(&self, collection: &str) -> Place {
        let (organization, parent) = collection.rsplit_once('/').unwrap_or(("", collection));
        Place { scope: self.0.scope(Organization::new(organization)), parent: parent.to_owned() }
    }
}

#[async_trait]
impl SearchEngine for StoreEngine {
    async fn index(&self, collection: &str, file: IndexedFile) -> Result<(), SearchError> {
        let place = self.place(collection);
        let id = place.header(&file.file_id);
        let blocks = blocks(&file.chunks);
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
                let put = Put::new(Kind::Chunk, format!("{id}/{number}"), 0, wire(block)).parent(&*id);
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
        let words = RankQuery::new(&query.queries);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let place = self.place(collection);
        let headers = place.headers(&query).await.map_err(broken)?;
        let mut corpus = words.corpus();
        for header in &headers {
            place.read(header, |_, chunk| corpus.add(&chunk)).await.map_err(broken)?;
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
            place.read(header, offer).await.map_err(broken)?;
        }
        let hits = best.into_sorted().into_iter();
        let hits = hits.map(|(score, (id, number), (header, chunk))| {
            Hit::new(id.clone(), &header.filename, number, chunk, score).attributes(header.attributes.clone())
        });
        Ok(hits.collect())
    }
}

impl Place {
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
            // Ranking is work: others get their turn between two blocks.
            tokio::task::yield_now().await;
        }
    }
}

fn put_header(place: &Place, id: &str, header: &Header) -> Put {
    Put::new(Kind::IndexedFile, id, 0, wire(header)).parent(&*place.parent)
}

fn blocks(chunks: &[String]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut room = 0;
    for (number, chunk) in chunks.iter().enumerate() {
        if room < chunk.len() {
            blocks.push(Block { first: number, chunks: Vec::new() });
            room = BLOCK_BYTES;
        }
        room = room.saturating_sub(chunk.len());
        if let Some(block) = blocks.last_mut() {
            block.chunks.push(chunk.clone());
        }
    }
    blocks
}

fn broken(error: StoreError) -> SearchError {
    SearchError::Engine("store", BoxError::from(error))
}
