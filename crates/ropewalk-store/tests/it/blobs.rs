use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ropewalk_store::{Blobs, MemoryBlobs, Organization, StoreError, contract};

fn org() -> Organization {
    Organization::new("rope")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract_of_blobs() {
    contract::blobs(async || Blobs::in_memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_the_contract_of_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicUsize::new(0);
    let fresh = async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Blobs::in_folder(folder.path().join(number.to_string())).unwrap()
    };
    contract::blobs(fresh).await;
}

#[tokio::test]
async fn two_processes_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Blobs::in_folder(folder.path()).unwrap();
    let mut writer = first.write(&org(), "blob").await.unwrap();
    writer.write(vec![7; 300_000].into()).await.unwrap();
    let second = Blobs::in_folder(folder.path()).unwrap(); // Its sweep leaves the other's draft alone.
    writer.finish().await.unwrap();
    assert_eq!(second.bytes(&org(), "blob").await.unwrap(), Some(300_000));
}

#[tokio::test]
async fn what_is_given_up_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(folder.path()).unwrap();
    let mut writer = blobs.write(&org(), "blob").await.unwrap();
    writer.write(vec![7; 300_000].into()).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    drop(writer);
    let parts = ["absent".to_owned(), "absent".to_owned()];
    assert!(matches!(blobs.concat(&org(), &parts, "blob").await, Err(StoreError::MissingBlob { .. })));
    let start = Instant::now();
    while !files(folder.path()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "the files are removed in the background");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_blob_outlives_the_handle() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Blobs::in_folder(folder.path()).unwrap().write(&org(), "blob").await.unwrap();
    writer.write(Bytes::from_static(b"bytes")).await.unwrap();
    writer.finish().await.unwrap();
    let reader = Blobs::in_folder(folder.path()).unwrap().read(&org(), "blob", 1..).await.unwrap();
    assert_eq!(reader.into_bytes().await.unwrap(), "ytes");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_a_blob() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs");
    let blobs = Blobs::in_folder(&path).unwrap();
    blobs.write(&org(), "blob").await.unwrap().finish().await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let [file] = &files(&path)[..] else { panic!("one blob is one file") };
    assert_eq!(mode(file), 0o600);
    for folder in file.ancestors().skip(1).take(3) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn memory_that_was_set_aside_can_be_full() {
    let blobs = Blobs::new(MemoryBlobs::with_capacity(400_000));
    let put = async |id: &str, bytes: usize| {
        let mut writer = blobs.write(&org(), id).await?;
        writer.write(vec![0; bytes].into()).await?;
        writer.finish().await
    };
    put("a", 300_000).await.unwrap();
    for too_much in [100_001, 400_001] {
        let error = put("b", too_much).await.unwrap_err();
        assert!(matches!(error, StoreError::NoSpace(_)) && !error.is_retryable(), "{error:?}");
    }
    let twice = ["a".to_owned(), "a".to_owned()];
    assert!(matches!(blobs.concat(&org(), &twice, "b").await, Err(StoreError::NoSpace(_))));
    assert_eq!(blobs.bytes(&org(), "b").await.unwrap(), None);
    put("a", 400_000).await.unwrap(); // What it replaces makes room.
    blobs.delete(&org(), "a").await.unwrap();
    put("b", 400_000).await.unwrap();
}
