use std::ops::RangeInclusive;

use ropewalk_tokens::Encoding;
use ropewalk_types::StaticChunking;

/// Cuts texts into chunks of so many tokens.
///
/// The chunks cover the text in order. Each has at most `max_chunk_size_tokens` tokens and begins with the last
/// `chunk_overlap_tokens` of the one before, up to three fewer where a character has several tokens. Tokens are those
/// of the API's embedding models (`cl100k_base`).
///
/// ```
/// use ropewalk_search::Chunker;
/// use ropewalk_types::StaticChunking;
///
/// let chunker = Chunker::new(StaticChunking { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 })?;
/// let text = " rope".repeat(200);
/// let chunks: Vec<&str> = chunker.chunks(&text).collect();
/// assert_eq!(chunks, [" rope".repeat(100).as_str(); 3]);
/// # Ok::<(), ropewalk_search::ChunkSizeError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunker {
    size: StaticChunking,
}

impl Chunker {
    /// How many tokens a chunk may be asked to have at most.
    pub const SIZES: RangeInclusive<u32> = 100..=4096;

    pub(crate) const ENCODING: Encoding = Encoding::Cl100k;

    /// Chunks of this size; [`Chunker::default`] has that of `auto`, 800 tokens of which 400 are shared.
    ///
    /// # Errors
    ///
    /// [`ChunkSizeError`] if the size is not in [`Chunker::SIZES`] or the overlap exceeds half of it.
    ///
    /// # Source
    ///
    /// Limits: `StaticChunkingStrategy` in the API reference.
    pub fn new(size: StaticChunking) -> Result<Self, ChunkSizeError> {
        if !Self::SIZES.contains(&size.max_chunk_size_tokens) {
            return Err(ChunkSizeError::Size);
        }
        if size.chunk_overlap_tokens > size.max_chunk_size_tokens / 2 {
            return Err(ChunkSizeError::Overlap);
        }
        Ok(Self { size })
    }

    /// The size of the chunks.
    pub fn size(self) -> StaticChunking {
        self.size
    }

    /// The chunks of `text`, lazily. An empty text has none.
    pub fn chunks(self, text: &str) -> impl Iterator<Item = &str> + Send {
        let StaticChunking { max_chunk_size_tokens, chunk_overlap_tokens } = self.size;
        let windows =
            Self::ENCODING.windows(text, max_chunk_size_tokens as usize, chunk_overlap_tokens as usize);
        windows.map(|range| &text[range])
    }
}

/// Why chunks cannot have the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkSizeError {
    /// Their size is out of range.
    #[error("max_chunk_size_tokens must be between 100 and 4096")]
    Size,
    /// They would share more than half of their tokens.
    #[error("chunk_overlap_tokens must be at most half of max_chunk_size_tokens")]
    Overlap,
}
