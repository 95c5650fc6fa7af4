mod backend;
mod folder;
mod memory;
mod reader;
mod writer;

use std::{
    ops::{Bound, RangeBounds},
    path::Path,
    sync::Arc,
};

pub use backend::{BlobBackend, BlobSink};
#[cfg(feature = "testing")]
pub use backend::{MockBlobBackend, MockBlobSink};
pub use folder::FolderBlobs;
pub use memory::MemoryBlobs;
pub use reader::BlobReader;
pub use writer::BlobWriter;

use crate::{Organization, StoreError};

/// What is known of a blob that was just stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobInfo {
    /// Its size.
    pub bytes: u64,
    /// Its MD5 checksum: 32 hexadecimal digits, lower case. It tells accidents, not attacks.
    pub md5: String,
}

impl BlobInfo {
    /// What a backend says of a blob.
    pub fn new(bytes: u64, md5: impl Into<String>) -> Self {
        Self { bytes, md5: md5.into() }
    }
}

/// The bytes of files, of all organisations: each call names the one that it speaks for. Cheap to clone.
///
/// A blob never changes: it is stored whole, replaced whole, or deleted. An id may be any text.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ropewalk_store::StoreError> {
/// use ropewalk_store::{Blobs, Organization};
///
/// let (blobs, org) = (Blobs::in_memory(), Organization::new("acme")); // Or Blobs::in_folder("data/blobs")?
/// let mut writer = blobs.write(&org, "file-1").await?;
/// writer.write("long ".into()).await?;
/// writer.write("rope".into()).await?;
/// assert_eq!(writer.finish().await?.bytes, 9); // Until now there was nothing to read.
/// assert_eq!(blobs.read(&org, "file-1", 5..).await?.into_bytes().await?, "rope");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Blobs(Arc<dyn BlobBackend>);

impl Blobs {
    /// Blobs on any backend.
    pub fn new(backend: impl BlobBackend) -> Self {
        Self(Arc::new(backend))
    }

    /// Blobs that are gone with the process.
    pub fn in_memory() -> Self {
        Self::new(MemoryBlobs::default())
    }

    /// Blobs as files in this folder, which is made where it is missing.
    ///
    /// Blocks on the disk. Several processes may share the folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`].
    pub fn in_folder(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self::new(FolderBlobs::open(folder.as_ref())?))
    }

    /// Begins a blob. It replaces what has this id when it is finished, and not before.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`].
    pub async fn write(&self, org: &Organization, id: &str) -> Result<BlobWriter, StoreError> {
        Ok(BlobWriter::new(self.0.write(org, id).await?))
    }

    /// Begins to read a blob, or a part of it; what lies behind its end is left out.
    ///
    /// The reader gives the blob as it is now, whatever happens to it meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::MissingBlob`], [`StoreError::Backend`].
    pub async fn read(
        &self,
        org: &Organization,
        id: &str,
        range: impl RangeBounds<u64>,
    ) -> Result<BlobReader, StoreError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.0.read(org, id, start..end).await
    }

    /// The size of a blob in bytes, if it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn bytes(&self, org: &Organization, id: &str) -> Result<Option<u64>, StoreError> {
        self.0.bytes(org, id).await
    }

    /// Deletes a blob, and says whether it was there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn delete(&self, org: &Organization, id: &str) -> Result<bool, StoreError> {
        self.0.delete(org, id).await
    }

    /// Makes a blob of others, one behind the other. The parts stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::MissingBlob`] names the first part that is not there; [`StoreError::NoSpace`];
    /// [`StoreError::Backend`]. Nothing is stored then.
    pub async fn concat(
        &self,
        org: &Organization,
        parts: &[String],
        into: &str,
    ) -> Result<BlobInfo, StoreError> {
        self.0.concat(org, parts, into).await
    }
}

/// `digest` in hexadecimal digits, lower case.
fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
