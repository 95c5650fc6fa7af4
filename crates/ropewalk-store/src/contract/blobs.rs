use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::task::JoinSet;

use crate::{BlobInfo, Blobs, Organization, StoreError};

/// Ids that would mean something to a file system.
const IDS: [&str; 10] = ["", ".", "..", "../up", "/etc", "a/b", "a\\b", "A:b", "a\u{0}b", "Ä😀 *?\n"];

fn org() -> Organization {
    Organization::new("rope")
}

/// Bytes of which no two chunks are alike.
fn bytes(number: usize) -> Bytes {
    (0..number as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

async fn put(blobs: &Blobs, id: &str, bytes: impl Into<Bytes>) -> BlobInfo {
    let mut writer = blobs.write(&org(), id).await.expect("a blob is begun");
    writer.write(bytes.into()).await.expect("bytes are taken");
    writer.finish().await.expect("the blob is stored")
}

async fn read(blobs: &Blobs, id: &str) -> Bytes {
    let reader = blobs.read(&org(), id, ..).await.expect("the blob is there");
    reader.into_bytes().await.expect("the blob is read")
}

async fn size(blobs: &Blobs, id: &str) -> Option<u64> {
    blobs.bytes(&org(), id).await.expect("a size is read")
}

async fn concat<const N: usize>(blobs: &Blobs, parts: [&str; N], into: &str) -> Result<BlobInfo, StoreError> {
    blobs.concat(&org(), &parts.map(str::to_owned), into).await
}

pub(super) async fn a_blob_reads_back_as_it_was_written(blobs: &Blobs) {
    assert_eq!(put(blobs, "empty", "").await, BlobInfo::new(0, "d41d8cd98f00b204e9800998ecf8427e"));
    assert_eq!(read(blobs, "empty").await, "");
    assert_eq!(put(blobs, "abc", "abc").await, BlobInfo::new(3, "900150983cd24fb0d6963f7d28e17f72"));
    let whole = bytes(1_000_000);
    let mut writer = blobs.write(&org(), "long").await.expect("a blob is begun");
    for piece in [&whole[..1], &whole[1..1], &whole[1..300_000], &whole[300_000..300_007], &whole[300_007..]]
    {
        writer.write(Bytes::copy_from_slice(piece)).await.expect("bytes are taken");
    }
    let info = writer.finish().await.expect("the blob is stored");
    assert_eq!(info, BlobInfo::new(1_000_000, "505ce6fe2659ae6e2dd91004be773848"));
    assert!(read(blobs, "long").await == whole);
    assert_eq!(size(blobs, "long").await, Some(1_000_000));

    let reader = blobs.read(&org(), "long", ..).await.expect("the blob is there");
    assert_eq!(reader.bytes(), 1_000_000);
    let chunks: Vec<Bytes> = reader.try_collect().await.expect("the blob is read");
    assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= 64 * 1024), "in small chunks");
    assert!(chunks.concat() == whole);
}

pub(super) async fn a_range_is_cut_to_the_blob(blobs: &Blobs) {
    put(blobs, "blob", "0123456789").await;
    let part = async |range: (std::ops::Bound<u64>, std::ops::Bound<u64>)| {
        let reader = blobs.read(&org(), "blob", range).await.expect("the blob is there");
        let (bytes, part) = (reader.bytes(), reader.into_bytes().await.expect("the blob is read"));
        assert_eq!(bytes, part.len() as u64);
        String::from_utf8_lossy(&part).into_owned()
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    assert_eq!(part((Included(3), Excluded(6))).await, "345");
    assert_eq!(part((Included(8), Unbounded)).await, "89");
    assert_eq!(part((Unbounded, Included(1))).await, "01");
    assert_eq!(part((Excluded(7), Excluded(u64::MAX))).await, "89");
    assert_eq!(part((Included(0), Included(u64::MAX))).await, "0123456789");
    for nothing in [(Included(10), Unbounded), (Included(u64::MAX), Unbounded), (Included(5), Excluded(5))] {
        assert_eq!(part(nothing).await, "");
    }
    assert_eq!(part((Included(6), Excluded(3))).await, "", "a range that ends before it begins");
}

pub(super) async fn an_unfinished_blob_is_not_there(blobs: &Blobs) {
    for old in [None, Some("old")] {
        if let Some(old) = old {
            put(blobs, "blob", old).await;
        }
        let mut writer = blobs.write(&org(), "blob").await.expect("a blob is begun");
        writer.write(bytes(600_000)).await.expect("bytes are taken");
        assert_eq!(size(blobs, "blob").await, old.map(|old| old.len() as u64), "before it is finished");
        drop(writer);
        assert_eq!(size(blobs, "blob").await, old.map(|old| old.len() as u64), "after it was given up");
    }
    assert_eq!(read(blobs, "blob").await, "old");
}

pub(super) async fn a_reader_reads_on_what_it_began(blobs: &Blobs) {
    let (old, new) = (bytes(300_000), bytes(5));
    put(blobs, "blob", old.clone()).await;
    let before = blobs.read(&org(), "blob", ..).await.expect("the blob is there");
    put(blobs, "blob", new.clone()).await;
    assert!(read(blobs, "blob").await == new, "it was replaced");
    let between = blobs.read(&org(), "blob", ..).await.expect("the blob is there");
    assert!(blobs.delete(&org(), "blob").await.expect("a delete succeeds"));
    assert!(before.into_bytes().await.expect("the blob is read") == old);
    assert!(between.into_bytes().await.expect("the blob is read") == new);
}

pub(super) async fn what_is_not_there_is_missing(blobs: &Blobs) {
    put(blobs, "blob", "bytes").await;
    for _ in 0..2 {
        refuses!(blobs.read(&org(), "absent", ..), StoreError::MissingBlob { id } if id == "absent");
        assert_eq!(size(blobs, "absent").await, None);
        assert!(!blobs.delete(&org(), "absent").await.expect("a delete succeeds"));
    }
    assert!(blobs.delete(&org(), "blob").await.expect("a delete succeeds"));
    assert!(!blobs.delete(&org(), "blob").await.expect("a delete succeeds"), "it is gone");
    refuses!(blobs.read(&org(), "blob", ..), StoreError::MissingBlob { id } if id == "blob");
}

pub(super) async fn parts_become_a_whole(blobs: &Blobs) {
    let whole = bytes(700_000);
    for (id, part) in [("a", ..300_000), ("b", ..7)] {
        put(blobs, id, whole.slice(part)).await;
    }
    put(blobs, "c", whole.slice(300_000..)).await;
    let info = concat(blobs, ["a", "c"], "whole").await.expect("the parts are there");
    assert_eq!(info, put(blobs, "same", whole.clone()).await);
    assert!(read(blobs, "whole").await == whole);
    let one = concat(blobs, ["b"], "one").await.expect("the part is there");
    assert_eq!(one, put(blobs, "same", whole.slice(..7)).await);
    assert_eq!(concat(blobs, ["b"], "one").await.expect("the part is there"), one, "again");
    assert_eq!(concat(blobs, [], "none").await.expect("there is no part"), put(blobs, "same", "").await);
    concat(blobs, ["b", "b", "one"], "b").await.expect("a part may be replaced by the whole");
    assert_eq!(size(blobs, "b").await, Some(21));
    concat(blobs, ["one"], "one").await.expect("a part may be the whole");
    for part in ["a", "b", "c"] {
        assert!(blobs.delete(&org(), part).await.expect("a delete succeeds"), "the parts stayed");
    }
    assert!(read(blobs, "whole").await == whole, "and are no part of it any more");
    assert!(read(blobs, "one").await == whole[..7]);
    for parts in [["one", "absent"], ["absent", "gone"]] {
        refuses!(concat(blobs, parts, "new"), StoreError::MissingBlob { id } if id == "absent");
    }
    refuses!(concat(blobs, ["absent"], "new"), StoreError::MissingBlob { id } if id == "absent");
    assert_eq!(size(blobs, "new").await, None, "nothing was stored");
}

pub(super) async fn any_text_is_an_id(blobs: &Blobs) {
    let long = "long".repeat(3000);
    let ids: Vec<&str> = IDS.into_iter().chain([&*long, &long[1..], "case", "CASE", "Case"]).collect();
    for id in &ids {
        put(blobs, id, format!("of {id}")).await;
    }
    for id in &ids {
        assert_eq!(read(blobs, id).await, format!("of {id}"), "{id:?} is an id of its own");
        assert!(blobs.delete(&org(), id).await.expect("a delete succeeds"));
    }
}

pub(super) async fn blobs_of_organisations_are_apart(blobs: &Blobs) {
    let orgs = ["", "a", "a/b", "A", "..", "rope"].map(Organization::new);
    for org in &orgs {
        for id in ["b", "b/b", "../a/b"] {
            let mut writer = blobs.write(org, id).await.expect("a blob is begun");
            writer.write(format!("{org}:{id}").into()).await.expect("bytes are taken");
            writer.finish().await.expect("the blob is stored");
        }
    }
    let of = async |org: &Organization, id: &str| {
        let reader = blobs.read(org, id, ..).await.expect("the blob is there");
        reader.into_bytes().await.expect("the blob is read")
    };
    for org in &orgs {
        for id in ["b", "b/b", "../a/b"] {
            assert_eq!(of(org, id).await, format!("{org}:{id}"));
        }
    }
    let (first, stranger) = (&orgs[1], Organization::new("stranger"));
    refuses!(blobs.read(&stranger, "b", ..), StoreError::MissingBlob { .. });
    refuses!(blobs.concat(&stranger, &["b".to_owned()], "b"), StoreError::MissingBlob { .. });
    assert_eq!(blobs.bytes(&stranger, "b").await.expect("a size is read"), None);
    assert!(!blobs.delete(&stranger, "b").await.expect("a delete succeeds"));
    assert_eq!(of(first, "b").await, "a:b");
}

pub(super) async fn the_last_of_many_writers_wins_whole(blobs: &Blobs) {
    let mut tasks = JoinSet::new();
    for n in 0..16_u8 {
        let blobs = blobs.clone();
        tasks.spawn(async move { put(&blobs, "blob", vec![n; 300_000]).await });
    }
    tasks.join_all().await;
    let stored = read(blobs, "blob").await;
    assert!(stored.len() == 300_000 && stored.iter().all(|byte| *byte == stored[0]), "it is one of them");
}
