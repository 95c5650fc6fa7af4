use std::time::Duration;

use ropewalk_files::FileError;
use ropewalk_store::Batch;
use ropewalk_types::{
    AttributeValue, Attributes, CreateMessage, CreateVectorStore, CreateVectorStoreFile,
    CreateVectorStoreFileBatch, FileId, Message, MessageId, SearchVectorStore, TextContent, Thread, ThreadId,
    VectorStoreExpiry, VectorStoreFile, VectorStoreFileStatus, VectorStoreStatus,
};

use crate::world::World;

async fn status(world: &World, store: &ropewalk_types::VectorStoreId, file: &FileId) -> VectorStoreFile {
    world.library.file_in_store(&world.scope, store, file).await.unwrap().decode().unwrap()
}

#[tokio::test]
async fn files_are_taken_in_counted_and_found() {
    let world = World::new();
    let (hemp, table) = (world.file("hemp.txt", "Hemp swells.").await, world.file("table.csv", "a,b").await);
    let request = CreateVectorStore::new().name("fibres").file(&hemp.id).file(&table.id);
    let store = world.library.create_vector_store(&world.scope, request).await.unwrap();
    assert_eq!((store.file_counts.total, store.name.as_str()), (2, "fibres"));
    world.settled(&store.id).await;
    let store = world.library.vector_store(&world.scope, &store.id).await.unwrap();
    assert_eq!((store.file_counts.completed, store.file_counts.failed), (1, 1));
    assert_eq!((store.status.clone(), store.usage_bytes), (VectorStoreStatus::Completed, 12));
    let failed = status(&world, &store.id, &table.id).await;
    assert_eq!(failed.last_error.unwrap().message, "The file type is not supported.");

    let found = world.library.search(&world.scope, &store.id, SearchVectorStore::new("hemp")).await.unwrap();
    assert_eq!(found.data.len(), 1);
    let TextContent::Text { text } = &found.data[0].content[0];
    assert_eq!((text.as_str(), &found.data[0].file_id), ("Hemp swells.", &hemp.id));

    world.library.remove_from_store(&world.scope, &store.id, &hemp.id).await.unwrap();
    let found = world.library.search(&world.scope, &store.id, SearchVectorStore::new("hemp")).await.unwrap();
    assert!(found.data.is_empty());
    let store = world.library.vector_store(&world.scope, &store.id).await.unwrap();
    assert_eq!((store.file_counts.total, store.usage_bytes), (1, 0));
    world.library.file(&world.scope, &hemp.id).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_put_in_twice_is_taken_in_anew_and_counted_once() {
    let world = World::new();
    let file = world.file("hemp.txt", "Hemp swells.").await;
    let store = world.library.create_vector_store(&world.scope, CreateVectorStore::new()).await.unwrap().id;
    for length in ["short", "long"] {
        let mut request = CreateVectorStoreFile::new(&file.id);
        let attributes = [("length".to_owned(), AttributeValue::Text(length.to_owned()))];
        request.attributes = Some(Attributes::from(attributes));
        world.library.add_to_store(&world.scope, &store, request).await.unwrap();
        world.settled(&store).await;
    }
    let counts = world.library.vector_store(&world.scope, &store).await.unwrap().file_counts;
    assert_eq!((counts.completed, counts.total), (1, 1));
    let mut query = SearchVectorStore::new("hemp");
    let filter = serde_json::json!({ "type": "eq", "key": "length", "value": "long" });
    query.filters = Some(serde_json::from_value(filter).unwrap());
    assert_eq!(world.library.search(&world.scope, &store, query).await.unwrap().data.len(), 1);
}

#[tokio::test]
async fn a_batch_is_over_when_none_of_its_files_is_in_progress() {
    let mut world = World::new();
    world.stop_working();
    let store = world.library.create_vector_store(&world.scope, CreateVectorStore::new()).await.unwrap().id;
    let files = [world.file("a.txt", "a").await.id, world.file("b.txt", "b").await.id];
    let create = CreateVectorStoreFileBatch::new(files.clone());
    let batch = world.library.create_batch(&world.scope, &store, create.clone()).await.unwrap();
    assert_eq!((batch.status, batch.file_counts.in_progress), (VectorStoreFileStatus::InProgress, 2));
    let batch = world.library.cancel_batch(&world.scope, &store, &batch.id).await.unwrap();
    assert_eq!((batch.status, batch.file_counts.cancelled), (VectorStoreFileStatus::Cancelled, 2));
    let again = world.library.cancel_batch(&world.scope, &store, &batch.id).await;
    assert!(matches!(again, Err(FileError::BatchOver(VectorStoreFileStatus::Cancelled))));

    let batch = world.library.create_batch(&world.scope, &store, create).await.unwrap();
    world.work();
    world.settled(&store).await;
    let batch = world.library.batch(&world.scope, &store, &batch.id).await.unwrap();
    assert_eq!((batch.status, batch.file_counts.completed), (VectorStoreFileStatus::Completed, 2));
}

#[tokio::test]
async fn files_that_are_not_there_change_nothing() {
    let world = World::new();
    let file = world.file("a.txt", "a").await;
    let request = CreateVectorStore::new().file(&file.id).file("file-none");
    let refused = world.library.create_vector_store(&world.scope, request).await;
    assert!(matches!(refused, Err(FileError::NoFiles(ids)) if ids == [FileId::new("file-none")]));
    let none = "vs_none".into();
    let refused = world.library.add_to_store(&world.scope, &none, CreateVectorStoreFile::new(&file.id)).await;
    assert!(matches!(refused, Err(FileError::NoVectorStore(_))));
}

#[tokio::test]
async fn a_store_expires_after_its_last_use() {
    let world = World::new();
    let file = world.file("a.txt", "hemp").await;
    let mut request = CreateVectorStore::new().file(&file.id);
    request.expires_after = Some(VectorStoreExpiry::days(1));
    let store = world.library.create_vector_store(&world.scope, request).await.unwrap().id;
    world.settled(&store).await;
    let day = Duration::from_secs(24 * 3600);
    world.pass(day - Duration::from_secs(1));
    world.library.search(&world.scope, &store, SearchVectorStore::new("hemp")).await.unwrap();
    world.pass(day - Duration::from_secs(1));
    let used = world.library.vector_store(&world.scope, &store).await.unwrap();
    assert_eq!(used.status, VectorStoreStatus::Completed);
    world.pass(Duration::from_secs(1));
    let refused = world.library.search(&world.scope, &store, SearchVectorStore::new("hemp")).await;
    assert!(matches!(refused, Err(FileError::Expired(_))));
    let expired = world.library.vector_store(&world.scope, &store).await.unwrap();
    assert_eq!(expired.status, VectorStoreStatus::Expired);
    world.library.file_in_store(&world.scope, &store, &file.id).await.unwrap();
}

#[tokio::test]
async fn an_attachment_makes_the_thread_a_store_of_its_own_and_the_next_one_uses_it() {
    let world = World::new();
    let mut thread = Thread::new(ThreadId::new("thread_1"), world.file("x.txt", "x").await.created_at);
    let mut made = Vec::new();
    for name in ["a.txt", "b.txt"] {
        let file = world.file(name, "hemp").await;
        let request: CreateMessage = serde_json::from_value(serde_json::json!({
            "role": "user",
            "content": "look",
            "attachments": [{ "file_id": file.id, "tools": [{ "type": "file_search" }] }]
        }))
        .unwrap();
        let message = Message::new(MessageId::new("msg_1"), thread.id.clone(), file.created_at, request);
        let prepared = world
            .library
            .prepare_attachments(&world.scope, &mut thread, &[message], Batch::new())
            .await
            .unwrap();
        world.scope.commit(prepared.batch).await.unwrap();
        world.library.wake();
        made.push(prepared.changed);
    }
    assert_eq!(made, [true, false]);
    let stores = thread.tool_resources.unwrap().file_search.unwrap().vector_store_ids.unwrap();
    world.settled(&stores[0]).await;
    let store = world.library.vector_store(&world.scope, &stores[0]).await.unwrap();
    assert_eq!((store.file_counts.completed, store.expires_after), (2, Some(VectorStoreExpiry::days(7))));
}

#[tokio::test]
async fn a_file_whose_worker_died_is_taken_in_by_the_next_one() {
    let mut world = World::new();
    world.stop_working();
    let file = world.file("a.txt", "hemp").await;
    let store =
        world.library.create_vector_store(&world.scope, CreateVectorStore::new().file(&file.id)).await;
    let store = store.unwrap().id;
    let (now, kind) = (1_700_000_000_000, ropewalk_store::Kind::VectorStoreFile);
    assert_eq!(world.store.claim(kind, now, now + 30_000, 10).await.unwrap().len(), 1);
    world.pass(Duration::from_secs(31));
    world.work();
    world.settled(&store).await;
    assert_eq!(status(&world, &store, &file.id).await.status, VectorStoreFileStatus::Completed);
}
