use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How files are cut into chunks, as a request asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChunkingStrategyParam {
    /// The server's choice: 800 tokens, 400 of them shared with the chunk before.
    #[default]
    Auto,
    /// Chunks of one size.
    Static {
        /// The size.
        #[serde(rename = "static")]
        window: StaticChunking,
    },
}

impl ChunkingStrategyParam {
    /// The sizes it stands for.
    pub fn window(self) -> StaticChunking {
        match self {
            Self::Auto => StaticChunking::default(),
            Self::Static { window } => window,
        }
    }
}

/// How a file was cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChunkingStrategy {
    /// Chunks of one size.
    Static {
        /// The size.
        #[serde(rename = "static")]
        window: StaticChunking,
    },
    /// Nobody knows any more.
    Other,
}

/// The size of chunks, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticChunking {
    /// Most tokens of a chunk, 100 to 4,096.
    #[schemars(range(min = 100, max = 4096))]
    pub max_chunk_size_tokens: u32,
    /// Tokens that a chunk shares with the one before, at most half of its size.
    #[schemars(range(min = 0, max = 2048))]
    pub chunk_overlap_tokens: u32,
}

impl Default for StaticChunking {
    /// What `auto` stands for (contract: BEHAVIOUR 12).
    fn default() -> Self {
        Self { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 }
    }
}
