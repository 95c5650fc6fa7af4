//! How a file gets into a vector store: read, cut, indexed.

use ropewalk_search::{Chunker, IndexedFile, extract};
use ropewalk_store::{Claim, Document, Scope};
use ropewalk_types::{
    ChunkingStrategy, ChunkingStrategyParam, File, FileId, StaticChunking, VectorStoreFile,
    VectorStoreFileError, VectorStoreFileErrorCode, VectorStoreFileStatus,
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, interval_at},
};

use crate::{FileError, Library, measures, record::PlaceState, search::collection, worker::LEASE};

/// How often a file is tried whose ingestion never came to an end: one that takes the process with it must not do so
/// for ever.
const MOST_TRIES: u64 = 5;

/// Why a file cannot be taken in, as its `last_error` says it.
fn refusal(code: VectorStoreFileErrorCode, message: impl Into<String>) -> VectorStoreFileError {
    VectorStoreFileError { code, message: message.into() }
}

impl Library {
    /// Takes in the file of a claimed place. What fails for reasons of the server falls due again.
    pub(crate) async fn take_in(&self, claim: Claim) {
        let id = claim.document.id.clone();
        tokio::select! {
            () = self.keep(&claim) => tracing::debug!(place = id, "no longer ours to take in"),
            done = self.take_in_claimed(&claim.scope, claim.document.clone()) => match done {
                Ok(()) => tracing::debug!(place = id, "taken in"),
                Err(error) => {
                    tracing::error!(place = id, error = &error as &dyn std::error::Error, "file not taken in");
                }
            },
        }
    }

    /// Keeps the lease for as long as the place is ours, however its attributes change.
    async fn keep(&self, claim: &Claim) {
        let mut lease = claim.lease();
        // It was claimed just now.
        let mut tick = interval_at(Instant::now() + LEASE / 3, LEASE / 3);
        loop {
            tick.tick().await;
            match self.0.store.renew(std::slice::from_ref(&lease), self.later(LEASE)).await.as_deref() {
                Ok([true]) | Err(_) => continue,
                Ok(_) => {}
            }
            match self.still_ours(&claim.scope, &claim.document).await {
                Ok(Some(document)) => lease.version = document.version,
                // Whoever has it now takes it in anew, or took it out.
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    /// The place as it is now, if it still waits for the owner of this claim to take it in.
    async fn still_ours(&self, scope: &Scope, claimed: &Document) -> Result<Option<Document>, FileError> {
        let document = scope.get(claimed.kind, &claimed.id).await?;
        let Some(document) = document.filter(|document| document.fence == claimed.fence) else {
            return Ok(None);
        };
        let file: VectorStoreFile = document.decode()?;
        Ok(Some(document).filter(|_| file.status == VectorStoreFileStatus::InProgress))
    }

    async fn take_in_claimed(&self, scope: &Scope, claimed: Document) -> Result<(), FileError> {
        let mut file: VectorStoreFile = claimed.decode()?;
        let state: PlaceState = claimed.decode_state()?.unwrap_or_default();
        if file.status != VectorStoreFileStatus::InProgress {
            return Ok(());
        }
        let begun = Instant::now();
        // The fence counts the claims.
        let done = if claimed.fence > MOST_TRIES {
            Err(refusal(
                VectorStoreFileErrorCode::ServerError,
                "The file could not be taken in; several tries failed.",
            ))
        } else {
            self.index(scope, &file, &state).await?
        };
        match done {
            Ok(bytes) => {
                file.status = VectorStoreFileStatus::Completed;
                file.usage_bytes = bytes;
            }
            Err(error) => {
                file.status = VectorStoreFileStatus::Failed;
                file.last_error = Some(error);
            }
        }
        let collection = collection(scope, &file.vector_store_id);
        let mut before = claimed.clone();
        loop {
            match self.settle(scope, &before, &file, &state).await {
                Err(FileError::Store(error)) if error.is_overtaken() => {}
                Ok(()) => {
                    measures::taken_in(&file.status, begun.elapsed());
                    return Ok(());
                }
                error => return error,
            }
            let Some(now) = self.still_ours(scope, &claimed).await? else {
                let there = scope.get(claimed.kind, &claimed.id).await?;
                let there = there.map(|place| place.decode::<VectorStoreFile>()).transpose()?;
                let wanted = [VectorStoreFileStatus::InProgress, VectorStoreFileStatus::Completed];
                // It was taken out or given up: nothing of it is kept. If somebody else takes it in, it is theirs.
                if !there.is_some_and(|place| wanted.contains(&place.status)) {
                    self.0.engine.remove(&collection, &file.id).await?;
                }
                return Ok(());
            };
            file.attributes = now.decode::<VectorStoreFile>()?.attributes;
            let attributes = file.attributes.clone().unwrap_or_default();
            self.0.engine.set_attributes(&collection, &file.id, attributes).await?;
            before = now;
        }
    }

    /// Hands the file's chunks to the search engine; gives their bytes.
    async fn index(
        &self,
        scope: &Scope,
        file: &VectorStoreFile,
        state: &PlaceState,
    ) -> Result<Result<u64, VectorStoreFileError>, FileError> {
        let text = match self.text_of(scope, &file.id).await {
            Err(FileError::NoFile(_)) => {
                let gone = "The file was deleted before it could be taken in.";
                return Ok(Err(refusal(VectorStoreFileErrorCode::InvalidFile, gone)));
            }
            read => read?,
        };
        let text = match text {
            Ok(text) => text,
            Err(error) => return Ok(Err(error)),
        };
        let window = match file.chunking_strategy {
            Some(ChunkingStrategy::Static { window }) => window,
            _ => ChunkingStrategyParam::Auto.window(),
        };
        let Ok(chunks) = spawn_blocking(move || cut(&text, window)).await else {
            return Ok(Err(refusal(
                VectorStoreFileErrorCode::ServerError,
                "The file could not be cut into chunks.",
            )));
        };
        let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let indexed = IndexedFile::new(file.id.clone(), &state.filename, chunks)
            .attributes(file.attributes.clone().unwrap_or_default());
        self.0.engine.index(&collection(scope, &file.vector_store_id), indexed).await?;
        Ok(Ok(bytes))
    }

    /// The text of a file, or why it has none.
    pub(crate) async fn text_of(
        &self,
        scope: &Scope,
        id: &FileId,
    ) -> Result<Result<String, VectorStoreFileError>, FileError> {
        let file: File = self.file(scope, id).await?.decode()?;
        let too_large = || {
            refusal(
                VectorStoreFileErrorCode::InvalidFile,
                "The file could not be parsed because it is too large.",
            )
        };
        if file.bytes > self.0.options.max_ingested_bytes {
            return Ok(Err(too_large()));
        }
        let (_, reader) = self.read(scope, id).await?;
        let bytes = reader.into_bytes().await?;
        let extracted = spawn_blocking(move || extract(&file.filename, &bytes)).await;
        Ok(match extracted {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(error.into()),
            // Extraction reads bytes of strangers: a bug in it is the file's misfortune, not the server's.
            Err(_) => Err(refusal(VectorStoreFileErrorCode::InvalidFile, "The file could not be parsed.")),
        })
    }
}

fn cut(text: &str, window: StaticChunking) -> Vec<String> {
    // Requests are held to the bounds of chunks; a store that holds others gets the default.
    let chunker = Chunker::new(window).unwrap_or_default();
    chunker.chunks(text).map(str::to_owned).collect()
}
