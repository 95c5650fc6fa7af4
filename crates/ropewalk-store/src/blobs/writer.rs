use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::{BlobInfo, BlobSink, StoreError};

/// Bytes that are gathered before the backend sees them: a hop to its thread costs more than a small write.
const GATHERED: usize = 256 * 1024;

/// A blob that is being written. Dropped before it is finished, nothing remains of it.
pub struct BlobWriter {
    sink: Box<dyn BlobSink>,
    gathered: BytesMut,
}

impl BlobWriter {
    pub(super) fn new(sink: Box<dyn BlobSink>) -> Self {
        Self { sink, gathered: BytesMut::new() }
    }

    /// Takes more bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`]; the blob is given up then, as it is when the future is
    /// dropped.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.gathered.is_empty() && bytes.len() >= GATHERED {
            return self.sink.write(bytes).await;
        }
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() >= GATHERED {
            self.sink.write(self.gathered.split().freeze()).await?;
        }
        Ok(())
    }

    /// Stores the blob: when this returns, it survives the loss of power.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`]; nothing remains then.
    pub async fn finish(mut self) -> Result<BlobInfo, StoreError> {
        if !self.gathered.is_empty() {
            self.sink.write(self.gathered.freeze()).await?;
        }
        self.sink.finish().await
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{Blobs, MockBlobBackend, MockBlobSink, Organization};

    #[tokio::test]
    async fn small_writes_reach_the_backend_together() {
        let mut backend = MockBlobBackend::new();
        backend.expect_write().returning(|_, _| {
            let mut sink = MockBlobSink::new();
            let mut sizes = vec![1, 300_000, GATHERED + 2, GATHERED].into_iter().rev();
            sink.expect_write().times(4).returning(move |bytes| {
                assert_eq!(Some(bytes.len()), sizes.next());
                Ok(())
            });
            sink.expect_finish().returning(|| Ok(BlobInfo::new(0, "")));
            Ok(Box::new(sink))
        });
        let mut writer = Blobs::new(backend).write(&Organization::new("rope"), "blob").await.unwrap();
        for size in std::iter::repeat_n(1, GATHERED).chain([3, GATHERED - 1, 300_000, 1]) {
            writer.write(vec![0; size].into()).await.unwrap();
        }
        writer.finish().await.unwrap();
    }
}
