use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};

use crate::StoreError;

/// Most bytes of a chunk.
pub(super) const CHUNK: usize = 64 * 1024;

/// A blob, or a part of one, as a stream of chunks. It reads no further than it is polled.
pub struct BlobReader {
    bytes: u64,
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>,
}

impl BlobReader {
    /// `bytes` is what all `chunks`, none over 64 KiB, have together.
    pub fn new(bytes: u64, chunks: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static) -> Self {
        Self { bytes, chunks: Box::pin(chunks) }
    }

    /// Bytes of all chunks together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All that is left, in memory. Look at [`bytes`](Self::bytes) first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn into_bytes(self) -> Result<Bytes, StoreError> {
        let whole = BytesMut::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
        let add = |mut whole: BytesMut, chunk: Bytes| {
            whole.extend_from_slice(&chunk);
            std::future::ready(Ok(whole))
        };
        self.chunks.try_fold(whole, add).await.map(BytesMut::freeze)
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
