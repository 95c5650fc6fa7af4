//! The file_search tool of the API, over the vector stores of a run's assistant and thread, and the images of messages.

use std::time::Duration;

use async_trait::async_trait;
use ropewalk_files::{FileError, Library};
use ropewalk_runs::{
    BuiltInTool, Failure, FileSource, Image, NoImage, ServerTool, ToolAnswer, ToolCallContext, ToolError,
};
use ropewalk_search::{Hit, SearchQuery};
use ropewalk_store::{Kind, Scope};
use ropewalk_tokens::Encoding;
use ropewalk_types::{
    FileId, FileSearchCall, FileSearchCallRanking, FileSearchOptions, FileSearchRanker, FileSearchResult,
    Function, Run, TextContent, Thread, Tool, ToolResources, VectorStoreId,
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::image_type::media_type;

/// Results of a search that asks for no number, and the tokens that they may take of the model's attention (contract:
/// BEHAVIOUR 12.2).
const DEFAULT_RESULTS: u32 = 20;
const MOST_TOKENS: usize = 16_000;
/// How long a run waits for the files of its thread (contract: BEHAVIOUR 7.1).
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest query that is searched for, in characters.
const LONGEST_QUERY: usize = 16_384;

/// The file_search tool.
#[derive(Debug)]
pub(crate) struct FileSearch(pub(crate) Library);

/// What the model writes.
#[derive(Deserialize)]
struct Arguments {
    query: String,
}

#[async_trait]
impl ServerTool for FileSearch {
    fn tool(&self) -> BuiltInTool {
        BuiltInTool::FileSearch
    }

    async fn function(&self, _: &Scope, _: &Run) -> Function {
        Function::new(BuiltInTool::FileSearch.name())
            .description(
                "Searches the files that belong to this conversation and gives the passages that fit best. Cite a \
                 passage that you use by its marker.",
            )
            .parameters(json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string", "description": "What to look for, in the words of the files." }
                },
                "required": ["query"],
                "additionalProperties": false,
            }))
    }

    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError> {
        let Ok(Arguments { query }) = serde_json::from_str(&call.arguments) else {
            return Ok(ToolAnswer::text("The arguments must be JSON of the form {\"query\": \"…\"}."));
        };
        let query: String = query.chars().take(LONGEST_QUERY).collect();
        let own = call.run.tool_resources.as_ref().map(stores).unwrap_or_default();
        let threads = thread_stores(&call).await?;
        let waited = self.0.now().0.saturating_sub(call.run.created_at.0);
        let patience =
            PATIENCE.saturating_sub(Duration::from_secs(u64::try_from(waited).unwrap_or_default()));
        let end = Instant::now() + patience;
        for store in &threads {
            let left = end.saturating_duration_since(Instant::now());
            self.0.settled(&call.scope, store, left).await.map_err(failed)?;
        }
        let mut searched = own;
        searched.extend(threads);
        searched.dedup();
        let options = options(&call.run);
        let (ranker, score_threshold) = match options.ranking_options {
            Some(ranking) => (ranking.ranker.unwrap_or_default(), ranking.score_threshold),
            None => (FileSearchRanker::default(), 0.0),
        };
        let query = SearchQuery::new(query)
            .max_results(options.max_num_results.unwrap_or(DEFAULT_RESULTS) as usize)
            .score_threshold(score_threshold);
        let hits = self.0.find(&call.scope, &searched, &query).await.map_err(failed)?;
        let results = affordable(&call.run, hits).into_iter().map(result).collect();
        let ranking_options = Some(FileSearchCallRanking { ranker, score_threshold });
        Ok(ToolAnswer::search(&call, FileSearchCall { ranking_options, results: Some(results) }))
    }
}

fn stores(resources: &ToolResources) -> Vec<VectorStoreId> {
    let search = resources.file_search.as_ref();
    search.and_then(|search| search.vector_store_ids.clone()).unwrap_or_default()
}

/// The stores of the thread as it is now: a message may have brought a file since the run began.
async fn thread_stores(call: &ToolCallContext) -> Result<Vec<VectorStoreId>, ToolError> {
    let thread = call.scope.get(Kind::Thread, call.run.thread_id.as_str()).await;
    let thread = thread.map_err(|error| ToolError::Broken(error.into()))?;
    let thread: Option<Thread> =
        thread.map(|thread| thread.decode()).transpose().map_err(|error| ToolError::Broken(error.into()))?;
    Ok(thread.and_then(|thread| thread.tool_resources.as_ref().map(stores)).unwrap_or_default())
}

/// A vector store that expired ends the run (contract: BEHAVIOUR 7.1); anything else is the model's to know.
fn failed(error: FileError) -> ToolError {
    match error {
        FileError::Expired(store) => {
            ToolError::Run(Failure::server(format!("Vector store '{store}' has expired.")))
        }
        FileError::NoVectorStore(store) => {
            ToolError::Run(Failure::server(format!("No vector store found with id '{store}'.")))
        }
        error => ToolError::Broken(error.into()),
    }
}

fn options(run: &Run) -> FileSearchOptions {
    let options = run.tools.iter().find_map(|tool| match tool {
        Tool::FileSearch { file_search } => file_search.clone(),
        _ => None,
    });
    options.unwrap_or_default()
}

/// The best hits that together fit the budget; the very best always.
fn affordable(run: &Run, hits: Vec<Hit>) -> Vec<Hit> {
    let encoding = Encoding::for_model(run.model.as_str());
    let mut left = MOST_TOKENS;
    let fits = |hit: &Hit| match encoding.count_up_to(&hit.text, left) {
        Some(tokens) => {
            left -= tokens;
            true
        }
        None => false,
    };
    hits.into_iter().take_while(fits).collect()
}

fn result(hit: Hit) -> FileSearchResult {
    FileSearchResult {
        file_id: hit.file_id,
        file_name: hit.filename,
        score: hit.score,
        content: Some(vec![TextContent::Text { text: hit.text }]),
    }
}

/// Images of messages, read from the files of their owner.
#[derive(Debug)]
pub(crate) struct Images(pub(crate) Library);

#[async_trait]
impl FileSource for Images {
    async fn image(&self, scope: &Scope, file: &FileId, max_bytes: u64) -> Result<Image, NoImage> {
        let (file, reader) = match self.0.read(scope, file).await {
            Ok(read) => read,
            Err(FileError::NoFile(_)) => return Err(NoImage::Missing),
            Err(error) => return Err(NoImage::Unreadable(error.into())),
        };
        if file.bytes > max_bytes {
            return Err(NoImage::TooLarge);
        }
        let bytes = reader.into_bytes().await.map_err(|error| NoImage::Unreadable(error.into()))?;
        let media_type = media_type(&bytes).ok_or(NoImage::NotAnImage)?;
        Ok(Image { media_type: media_type.to_owned(), bytes })
    }
}
