use std::time::Duration;

use ropewalk_files::{FileError, LibraryOptions};
use ropewalk_store::{Batch, Kind, ListRequest};
use ropewalk_types::{
    CreateMessage, CreateVectorStore, FileExpiry, FileExpiryAnchor, FilePurpose, Message, MessageId, Thread,
    ThreadId,
};

use crate::world::World;

#[tokio::test]
async fn a_file_is_what_was_written_and_nothing_remains_of_one_that_was_not_finished() {
    let world = World::new();
    let mut incoming = world.library.add_file(&world.scope).await.unwrap();
    for piece in ["long ", "long ", "rope"] {
        incoming.write(piece.into()).await.unwrap();
    }
    let file = incoming.finish("rope.txt", FilePurpose::Vision, None).await.unwrap();
    assert_eq!((file.bytes, file.filename.as_str()), (14, "rope.txt"));
    let (_, reader) = world.library.download(&world.scope, &file.id).await.unwrap();
    assert_eq!(reader.into_bytes().await.unwrap(), "long long rope");

    let mut dropped = world.library.add_file(&world.scope).await.unwrap();
    dropped.write("never".into()).await.unwrap();
    drop(dropped);
    let files = world.scope.list(&ListRequest::new(Kind::File)).await.unwrap().documents;
    assert_eq!(files.len(), 1);
}

#[tokio::test]
async fn what_is_too_large_or_of_an_odd_type_or_over_the_quota_is_refused() {
    let mut options = LibraryOptions::default();
    (options.max_file_bytes, options.max_total_bytes) = (10, Some(15));
    let world = World::with(options);
    let mut large = world.library.add_file(&world.scope).await.unwrap();
    assert!(matches!(large.write("eleven byte".into()).await, Err(FileError::TooLarge { limit: 10 })));
    let odd = world.library.add_file(&world.scope).await.unwrap();
    let odd = odd.finish("macro.vb", FilePurpose::Assistants, None).await;
    assert!(matches!(odd, Err(FileError::Extension(extension)) if extension == "vb"));
    world.file("ten.txt", "ten bytes!").await;
    let mut more = world.library.add_file(&world.scope).await.unwrap();
    more.write("six by".into()).await.unwrap();
    let over = more.finish("more.txt", FilePurpose::Batch, None).await;
    assert!(matches!(over, Err(FileError::Quota)), "{over:?}");
}

#[tokio::test]
async fn only_files_of_some_purposes_can_be_downloaded() {
    let world = World::new();
    let file = world.file("notes.txt", "private").await;
    let refused = world.library.download(&world.scope, &file.id).await;
    assert!(matches!(refused, Err(FileError::NotDownloadable(purpose)) if purpose == "assistants"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_file_is_deleted_by_itself() {
    let world = World::new();
    let incoming = world.library.add_file(&world.scope).await.unwrap();
    let expiry = FileExpiry { anchor: FileExpiryAnchor::CreatedAt, seconds: 3600 };
    let file = incoming.finish("day.txt", FilePurpose::Batch, Some(expiry)).await.unwrap();
    assert_eq!(file.expires_at, Some(file.created_at.plus(3600)));
    world.pass(Duration::from_secs(3601));
    while world.library.file(&world.scope, &file.id).await.is_ok() {
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    let org = world.scope.organization();
    assert_eq!(world.blobs.bytes(org, file.id.as_str()).await.unwrap(), None);
}

#[tokio::test]
async fn a_deleted_file_is_gone_from_every_store_and_thread() {
    let world = World::new();
    let file = world.file("rope.txt", "hemp").await;
    let store =
        world.library.create_vector_store(&world.scope, CreateVectorStore::new().file(&file.id)).await;
    let store = store.unwrap().id;
    world.settled(&store).await;
    let mut thread = Thread::new(ThreadId::new("thread_1"), file.created_at);
    let request: CreateMessage = serde_json::from_value(serde_json::json!({
        "role": "user",
        "content": "look",
        "attachments": [{ "file_id": file.id, "tools": [{ "type": "code_interpreter" }] }]
    }))
    .unwrap();
    let message = Message::new(MessageId::new("msg_1"), thread.id.clone(), file.created_at, request);
    let prepared =
        world.library.prepare_attachments(&world.scope, &mut thread, &[message], Batch::new()).await.unwrap();
    assert!(prepared.changed);
    let body = serde_json::to_vec(&thread).unwrap();
    let put = ropewalk_store::Put::new(Kind::Thread, "thread_1", 0, body);
    world.scope.commit(prepared.batch.put(put)).await.unwrap();

    world.library.delete_file(&world.scope, &file.id).await.unwrap();
    assert!(matches!(world.library.file(&world.scope, &file.id).await, Err(FileError::NoFile(_))));
    assert_eq!(world.library.vector_store(&world.scope, &store).await.unwrap().file_counts.total, 0);
    let thread = world.scope.get(Kind::Thread, "thread_1").await.unwrap().unwrap();
    let thread: Thread = thread.decode().unwrap();
    assert!(thread.tool_resources.unwrap().code_interpreter.unwrap().file_ids.is_empty());
}
