use std::time::Duration;

use ropewalk_files::FileError;
use ropewalk_store::{Kind, ListRequest};
use ropewalk_types::{
    CompleteUpload, CreateUpload, Upload, UploadId, UploadPartId, UploadStatus, UploadedPurpose,
};

use crate::world::World;

async fn begin(world: &World, bytes: u64) -> Upload {
    let request = CreateUpload::new("rope.txt", UploadedPurpose::Vision, bytes, "text/plain");
    world.library.create_upload(&world.scope, request).await.unwrap()
}

async fn part(world: &World, upload: &UploadId, text: &str) -> Result<UploadPartId, FileError> {
    let mut incoming = world.library.add_part(&world.scope, upload).await?;
    incoming.write(text.to_owned().into()).await?;
    Ok(incoming.finish(upload).await?.id)
}

#[tokio::test]
async fn parts_become_a_file_in_the_order_asked_for() {
    let world = World::new();
    let upload = begin(&world, 8).await;
    let (second, first) = (part(&world, &upload.id, "rope").await, part(&world, &upload.id, "long").await);
    let mut request = CompleteUpload::new([first.unwrap(), second.unwrap()]);
    // echo -n longrope | md5sum
    request.md5 = Some("A6C2CCF3E9A76BCE2BB9AF6F8D4AC1B3".to_owned());
    let wrong = world.library.complete_upload(&world.scope, &upload.id, &request).await;
    assert!(matches!(wrong, Err(FileError::Parts(_))));
    request.md5 = None;
    let done = world.library.complete_upload(&world.scope, &upload.id, &request).await.unwrap();
    assert_eq!(done.status, UploadStatus::Completed);
    let file = done.file.unwrap();
    let (_, reader) = world.library.download(&world.scope, &file.id).await.unwrap();
    assert_eq!(reader.into_bytes().await.unwrap(), "longrope");
    let again = world.library.complete_upload(&world.scope, &upload.id, &request).await;
    assert!(matches!(again, Err(FileError::UploadOver(UploadStatus::Completed))));
    let parts = ListRequest::new(Kind::UploadPart).parent(upload.id.as_str());
    assert!(world.scope.list(&parts).await.unwrap().documents.is_empty());
}

#[tokio::test]
async fn an_upload_takes_what_was_declared_and_no_more() {
    let world = World::new();
    let upload = begin(&world, 6).await;
    let first = part(&world, &upload.id, "long").await.unwrap();
    assert!(matches!(part(&world, &upload.id, "rope").await, Err(FileError::Parts(_))));
    assert!(matches!(part(&world, &upload.id, "").await, Err(FileError::Parts(_))));
    for parts in [vec![first.clone()], vec![first.clone(), first], vec!["part_none".into()], vec![]] {
        let request = CompleteUpload::new(parts);
        let refused = world.library.complete_upload(&world.scope, &upload.id, &request).await;
        assert!(matches!(refused, Err(FileError::Parts(_))), "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_ends_by_cancel_or_by_time() {
    let world = World::new();
    let cancelled = begin(&world, 6).await;
    part(&world, &cancelled.id, "long").await.unwrap();
    let cancelled = world.library.cancel_upload(&world.scope, &cancelled.id).await.unwrap();
    assert_eq!(cancelled.status, UploadStatus::Cancelled);
    assert!(matches!(part(&world, &cancelled.id, "x").await, Err(FileError::UploadOver(_))));

    let late = begin(&world, 6).await;
    world.pass(Duration::from_secs(3601));
    let refused = part(&world, &late.id, "x").await;
    assert!(matches!(refused, Err(FileError::UploadOver(UploadStatus::Expired))));
    let stored = async || {
        let document = world.scope.get(Kind::Upload, late.id.as_str()).await.unwrap().unwrap();
        document.decode::<Upload>().unwrap().status
    };
    while stored().await != UploadStatus::Expired {
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}
