use std::{fmt::Debug, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{BlobInfo, BlobReader, Organization, StoreError};

/// A durable home of blobs.
///
/// # Contract
///
/// - **Whole:** a blob can be read when all of it is stored; what was begun and dropped leaves nothing.
/// - **Durable:** what was acknowledged survives the loss of power.
/// - **Steady readers:** a reader gives the blob as it was when the reading began.
/// - **Separate:** no call sees or touches a blob of another organisation.
/// - **Any id:** whatever text an id is, it names one blob and nothing outside of the backend.
/// - **Flat:** no call holds more than a few hundred kilobytes of a blob in memory, but where memory is its home.
/// - **Cancel-safe:** a dropped future leaves a blob wholly stored or not at all.
///
/// [`contract::blobs`](crate::contract::blobs()) holds a backend to it.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait BlobBackend: Debug + Send + Sync + 'static {
    /// Begins a blob.
    async fn write(&self, org: &Organization, id: &str) -> Result<Box<dyn BlobSink>, StoreError>;

    /// Reads the part of a blob that lies in the range, in chunks of at most 64 KiB.
    ///
    /// # Errors
    ///
    /// [`StoreError::MissingBlob`].
    async fn read(&self, org: &Organization, id: &str, range: Range<u64>) -> Result<BlobReader, StoreError>;

    /// The size of a blob, if it is there.
    async fn bytes(&self, org: &Organization, id: &str) -> Result<Option<u64>, StoreError>;

    /// Deletes a blob, and says whether it was there.
    async fn delete(&self, org: &Organization, id: &str) -> Result<bool, StoreError>;

    /// Makes a blob of others, one behind the other. A part may come twice, or be the one that is replaced.
    ///
    /// # Errors
    ///
    /// [`StoreError::MissingBlob`] names the first part that is not there.
    async fn concat(&self, org: &Organization, parts: &[String], into: &str) -> Result<BlobInfo, StoreError>;
}

/// A blob on its way into a backend. Dropped, nothing remains of it.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait BlobSink: Send {
    /// Takes more bytes, 256 KiB and more but for the last.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`]; the blob is given up then.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Stores the blob.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`], [`StoreError::Backend`]; nothing remains then.
    async fn finish(self: Box<Self>) -> Result<BlobInfo, StoreError>;
}
