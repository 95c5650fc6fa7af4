use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Attributes, FileContentPageWord, FileId, Filter, SearchResultsWord, filter::attributes_schema};

/// Searches a vector store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SearchVectorStore {
    /// What to look for: one text, or several whose results are joined.
    pub query: SearchText,
    /// Whether the server may put the query into other words. It never does: the reply says what was searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub rewrite_query: Option<bool>,
    /// Most results, 1 to 50; 10 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50), extend("default" = 10))]
    pub max_num_results: Option<u32>,
    /// Which files to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Filter>,
    /// How results are ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking_options: Option<SearchRankingOptions>,
}

impl SearchVectorStore {
    /// Looks for `query`, with the server's settings.
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: SearchText::One(query.into()),
            rewrite_query: None,
            max_num_results: None,
            filters: None,
            ranking_options: None,
        }
    }
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SearchText {
    /// One text.
    One(#[schemars(length(max = 16_384))] String),
    /// Several texts, at most 20.
    Many(#[schemars(length(max = 20), inner(length(max = 16_384)))] Vec<String>),
}

impl SearchText {
    /// The texts.
    pub fn into_texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// How results of the search endpoint are ranked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRankingOptions {
    /// Which ranker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "auto"))]
    pub ranker: Option<SearchRanker>,
    /// Least score of a result, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), extend("default" = 0))]
    pub score_threshold: Option<f64>,
}

/// The rankers of the search endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SearchRanker {
    /// No second look at the results.
    #[serde(rename = "none")]
    None,
    /// The server's choice.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// The hosted service's ranker of that day; here the server's own.
    #[serde(rename = "default-2024-11-15")]
    Default20241115,
}

/// The results of a search, best first; `vector_store.search_results.page` on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SearchResultsPage {
    /// `vector_store.search_results.page`.
    #[serde(default)]
    pub object: SearchResultsWord,
    /// What was searched for.
    pub search_query: Vec<String>,
    /// The results, best first.
    pub data: Vec<SearchResult>,
    /// Always `false`: a search has one page.
    pub has_more: bool,
    /// Always `null`.
    pub next_page: Option<String>,
}

impl SearchResultsPage {
    /// All that was found.
    pub fn new(search_query: Vec<String>, data: Vec<SearchResult>) -> Self {
        Self { object: SearchResultsWord::Word, search_query, data, has_more: false, next_page: None }
    }
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchResult {
    /// The file it stands in.
    pub file_id: FileId,
    /// The file's name.
    pub filename: String,
    /// How well it fits, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub score: f64,
    /// The file's attributes.
    #[schemars(schema_with = "attributes_schema")]
    pub attributes: Option<Attributes>,
    /// The passage.
    pub content: Vec<TextContent>,
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TextContent {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

/// The text of a file as a vector store took it in; `vector_store.file_content.page` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FileContentPage {
    /// `vector_store.file_content.page`.
    #[serde(default)]
    pub object: FileContentPageWord,
    /// The text, in order.
    pub data: Vec<TextContent>,
    /// Always `false`: the whole text comes at once.
    pub has_more: bool,
    /// Always `null`.
    pub next_page: Option<String>,
}

impl FileContentPage {
    /// The whole text.
    pub fn new(data: Vec<TextContent>) -> Self {
        Self { object: FileContentPageWord::Word, data, has_more: false, next_page: None }
    }
}
