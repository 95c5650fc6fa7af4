use std::{collections::HashMap, fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use md5::{Digest, Md5};
use parking_lot::Mutex;

use super::{hex, reader::CHUNK};
use crate::{BlobBackend, BlobInfo, BlobReader, BlobSink, Organization, StoreError};

/// Blobs in memory: for tests, and for programs that need nothing to stay.
#[derive(Clone)]
pub struct MemoryBlobs {
    shelf: Arc<Mutex<Shelf>>,
    capacity: u64,
}

#[derive(Default)]
struct Shelf {
    blobs: HashMap<(Organization, String), Bytes>,
    used: u64,
}

impl MemoryBlobs {
    /// Room for so many bytes; more is refused with [`StoreError::NoSpace`].
    pub fn with_capacity(bytes: u64) -> Self {
        Self { shelf: Arc::default(), capacity: bytes }
    }

    fn find(&self, org: &Organization, id: &str) -> Result<Bytes, StoreError> {
        let found = self.shelf.lock().blobs.get(&(org.clone(), id.to_owned())).cloned();
        found.ok_or_else(|| StoreError::MissingBlob { id: id.to_owned() })
    }

    fn room_for(&self, used: u64, bytes: usize) -> Result<(), StoreError> {
        if used.saturating_add(bytes as u64) > self.capacity {
            return Err(StoreError::NoSpace(format!("{} bytes were set aside", self.capacity).into()));
        }
        Ok(())
    }

    fn store(&self, org: Organization, id: String, bytes: Bytes) -> Result<BlobInfo, StoreError> {
        let info = BlobInfo::new(bytes.len() as u64, hex(&Md5::digest(&bytes)));
        let mut shelf = self.shelf.lock();
        let key = (org, id);
        let replaced = shelf.blobs.get(&key).map_or(0, |old| old.len() as u64);
        self.room_for(shelf.used - replaced, bytes.len())?;
        shelf.used = shelf.used - replaced + info.bytes;
        shelf.blobs.insert(key, bytes);
        Ok(info)
    }
}

impl Default for MemoryBlobs {
    /// Room for all that memory holds.
    fn default() -> Self {
        Self::with_capacity(u64::MAX)
    }
}

impl fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlobs").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobBackend for MemoryBlobs {
    async fn write(&self, org: &Organization, id: &str) -> Result<Box<dyn BlobSink>, StoreError> {
        let (home, org, id) = (self.clone(), org.clone(), id.to_owned());
        Ok(Box::new(MemorySink { home, org, id, bytes: BytesMut::new() }))
    }

    async fn read(&self, org: &Organization, id: &str, range: Range<u64>) -> Result<BlobReader, StoreError> {
        let blob = self.find(org, id)?;
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(blob.len());
        let (start, end) = (place(range.start), place(range.end));
        let mut rest = blob.slice(start..end.max(start));
        let bytes = rest.len() as u64;
        let chunks =
            std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(CHUNK)))));
        Ok(BlobReader::new(bytes, stream::iter(chunks)))
    }

    async fn bytes(&self, org: &Organization, id: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.find(org, id).ok().map(|blob| blob.len() as u64))
    }

    async fn delete(&self, org: &Organization, id: &str) -> Result<bool, StoreError> {
        let mut shelf = self.shelf.lock();
        let deleted = shelf.blobs.remove(&(org.clone(), id.to_owned()));
        shelf.used -= deleted.as_ref().map_or(0, |blob| blob.len() as u64);
        Ok(deleted.is_some())
    }

    async fn concat(&self, org: &Organization, parts: &[String], into: &str) -> Result<BlobInfo, StoreError> {
        let mut whole = BytesMut::new();
        for part in parts {
            let part = self.find(org, part)?;
            self.room_for(whole.len() as u64, part.len())?;
            whole.extend_from_slice(&part);
        }
        self.store(org.clone(), into.to_owned(), whole.freeze())
    }
}

struct MemorySink {
    home: MemoryBlobs,
    org: Organization,
    id: String,
    bytes: BytesMut,
}

#[async_trait]
impl BlobSink for MemorySink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.home.room_for(self.bytes.len() as u64, bytes.len())?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<BlobInfo, StoreError> {
        let Self { home, org, id, bytes } = *self;
        home.store(org, id, bytes.freeze())
    }
}
