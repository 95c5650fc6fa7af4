mod draft;

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{hex, reader::CHUNK};
use crate::{
    BlobBackend, BlobInfo, BlobReader, BlobSink, Organization, StoreError,
    disk::{disk_error, lasting_folder, open_error},
};
use draft::Draft;

/// Blobs as files of a folder, which several processes may share.
///
/// `<hash of the organisation>/<two digits>/<hash of the id>`: names of SHA-256 are safe whatever an id is, on
/// file systems that take upper and lower case for the same, too. What is being written lies in `drafts`. The
/// disk is waited for on threads that may block.
#[derive(Debug, Clone)]
pub struct FolderBlobs(Arc<Path>);

impl FolderBlobs {
    /// Opens this folder, makes it where it is missing, and removes what a crash left unfinished.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Inaccessible`], [`StoreError::NoSpace`], [`StoreError::Backend`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let drafts = folder.join("drafts");
        let swept = lasting_folder(&drafts).and_then(|()| draft::sweep(&drafts));
        swept.map_err(|error| open_error(BACKEND, &drafts, error))?;
        Ok(Self(folder.into()))
    }

    /// Where a blob lies.
    fn path(&self, org: &Organization, id: &str) -> PathBuf {
        let hash = |name: &str| hex(&Sha256::digest(name));
        let file = hash(id);
        self.0.join(hash(org.as_str())).join(&file[..2]).join(file)
    }

    async fn draft(&self) -> Result<Draft, StoreError> {
        let drafts = self.0.join("drafts");
        blocking(move || Draft::create(&drafts)).await
    }
}

#[async_trait]
impl BlobBackend for FolderBlobs {
    async fn write(&self, org: &Organization, id: &str) -> Result<Box<dyn BlobSink>, StoreError> {
        Ok(Box::new(FolderSink { path: self.path(org, id), draft: Some(self.draft().await?) }))
    }

    async fn read(&self, org: &Organization, id: &str, range: Range<u64>) -> Result<BlobReader, StoreError> {
        let path = self.path(org, id);
        let open = move || {
            let Some(mut file) = found(File::open(path))? else { return Ok(None) };
            let bytes = file.metadata()?.len();
            let start = range.start.min(bytes);
            file.seek(SeekFrom::Start(start))?;
            Ok(Some((file, range.end.min(bytes).saturating_sub(start))))
        };
        let missing = || StoreError::MissingBlob { id: id.to_owned() };
        let (file, bytes) = blocking(open).await?.ok_or_else(missing)?;
        // A hop for each chunk: a client that reads slowly must not hold a thread.
        let chunks = stream::try_unfold((file, bytes), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let read = move || {
                let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
                file.read_exact(&mut chunk)?;
                let left = left - chunk.len() as u64;
                Ok(Some((Bytes::from(chunk), (file, left))))
            };
            blocking(read).await
        });
        Ok(BlobReader::new(bytes, chunks))
    }

    async fn bytes(&self, org: &Organization, id: &str) -> Result<Option<u64>, StoreError> {
        let path = self.path(org, id);
        blocking(move || Ok(found(fs::metadata(path))?.map(|file| file.len()))).await
    }

    async fn delete(&self, org: &Organization, id: &str) -> Result<bool, StoreError> {
        let path = self.path(org, id);
        blocking(move || Ok(found(fs::remove_file(path))?.is_some())).await
    }

    async fn concat(&self, org: &Organization, parts: &[String], into: &str) -> Result<BlobInfo, StoreError> {
        let missing = |part: &String| StoreError::MissingBlob { id: part.clone() };
        let into = self.path(org, into);
        if let [only] = parts {
            let (drafts, path) = (self.0.join("drafts"), self.path(org, only));
            let link = move || {
                let Some(file) = found(File::open(&path))? else { return Ok(None) };
                Draft::link(&drafts, &path, file)?.keep(&into).map(Some)
            };
            return blocking(link).await?.ok_or_else(|| missing(only));
        }
        let mut whole = self.draft().await?;
        for part in parts {
            let path = self.path(org, part);
            // A hop for each part: between two of them it can be stopped.
            let append = move || {
                let Some(file) = found(File::open(path))? else { return Ok(None) };
                whole.append(&file)?;
                Ok(Some(whole))
            };
            whole = blocking(append).await?.ok_or_else(|| missing(part))?;
        }
        blocking(move || whole.keep(&into)).await
    }
}

/// A blob on its way into the folder.
struct FolderSink {
    path: PathBuf,
    /// `None` while a write is under way, and after one that failed or was given up.
    draft: Option<Draft>,
}

impl FolderSink {
    fn take(&mut self) -> Result<Draft, StoreError> {
        self.draft.take().ok_or_else(|| StoreError::Backend(BACKEND, "an earlier write was not done".into()))
    }
}

#[async_trait]
impl BlobSink for FolderSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut draft = self.take()?;
        self.draft = Some(blocking(move || draft.write(&bytes).map(|()| draft)).await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobInfo, StoreError> {
        let (draft, path) = (self.take()?, std::mem::take(&mut self.path));
        blocking(move || draft.keep(&path)).await
    }
}

impl Drop for FolderSink {
    /// A large file takes a while to remove.
    fn drop(&mut self) {
        if let (Some(draft), Ok(runtime)) = (self.draft.take(), Handle::try_current()) {
            drop(runtime.spawn_blocking(|| drop(draft)));
        }
    }
}

const BACKEND: &str = "blob";

fn failure(error: io::Error) -> StoreError {
    disk_error(BACKEND, error)
}

/// `None` for what is not there.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Does `work` on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Backend(BACKEND, error.into()))?.map_err(failure)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_says_so_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("draft");
        let full = || Some(Draft::at(name.clone(), File::options().write(true).open("/dev/full").unwrap()));
        let mut sink = FolderSink { path: folder.path().join("blob"), draft: full() };
        File::create(&name).unwrap();
        let error = sink.write(Bytes::from_static(b"bytes")).await.unwrap_err();
        assert!(matches!(error, StoreError::NoSpace(_)) && !error.is_retryable(), "{error:?}");
        let again = sink.write(Bytes::from_static(b"bytes")).await;
        assert!(matches!(again, Err(StoreError::Backend(..))), "it was given up");
        assert!(Box::new(sink).finish().await.is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
