//! What happens to a file while it is being taken in.

use std::sync::Arc;

use async_trait::async_trait;
use ropewalk_files::{FileError, LibraryOptions, StoreEngine};
use ropewalk_search::{Hit, IndexedFile, SearchEngine, SearchError, SearchQuery};
use ropewalk_store::Store;
use ropewalk_types::{
    AttributeValue, Attributes, CreateUpload, CreateVectorStore, CreateVectorStoreFileBatch, FileId,
    ModifyVectorStoreFile, SearchVectorStore, UploadedPurpose, VectorStoreFile, VectorStoreFileStatus,
};
use tokio::sync::Semaphore;

use crate::world::World;

/// An engine that takes a file in when it is told to.
#[derive(Debug)]
struct Gate {
    engine: StoreEngine,
    /// Files that are being taken in.
    reached: Semaphore,
    /// Files that may be.
    open: Semaphore,
    /// Files that were taken out.
    removed: Semaphore,
}

#[async_trait]
impl SearchEngine for Gate {
    async fn index(&self, collection: &str, file: IndexedFile) -> Result<(), SearchError> {
        self.reached.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        self.engine.index(collection, file).await
    }

    async fn set_attributes(
        &self,
        collection: &str,
        file: &FileId,
        attributes: Attributes,
    ) -> Result<(), SearchError> {
        self.engine.set_attributes(collection, file, attributes).await
    }

    async fn remove(&self, collection: &str, file: &FileId) -> Result<(), SearchError> {
        let removed = self.engine.remove(collection, file).await;
        self.removed.add_permits(1);
        removed
    }

    async fn drop_collection(&self, collection: &str) -> Result<(), SearchError> {
        self.engine.drop_collection(collection).await
    }

    async fn search(&self, collection: &str, query: SearchQuery) -> Result<Vec<Hit>, SearchError> {
        self.engine.search(collection, query).await
    }
}

fn gated() -> (World, Arc<Gate>) {
    let store = Store::in_memory();
    let engine = StoreEngine::new(store.clone());
    let gate = Arc::new(Gate {
        engine,
        reached: Semaphore::new(0),
        open: Semaphore::new(0),
        removed: Semaphore::new(0),
    });
    (World::over(store, gate.clone(), LibraryOptions::default()), gate)
}

impl Gate {
    /// Lets the file in that stands before it, and waits until it was taken out, the last of so many times.
    async fn let_in_and_out(&self, times: u32) {
        self.open.add_permits(1);
        self.removed.acquire_many(times).await.unwrap().forget();
    }

    async fn holds(&self, collection: &str) -> usize {
        self.engine.search(collection, SearchQuery::new("hemp")).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_while_it_is_taken_in_is_never_found() {
    let (world, gate) = gated();
    let file = world.file("a.txt", "hemp").await;
    let store =
        world.library.create_vector_store(&world.scope, CreateVectorStore::new().file(&file.id)).await;
    let store = store.unwrap().id;
    gate.reached.acquire().await.unwrap().forget();
    world.library.delete_file(&world.scope, &file.id).await.unwrap();
    gate.let_in_and_out(2).await;
    assert_eq!(gate.holds(&format!("acme/{store}")).await, 0);
    let found = world.library.search(&world.scope, &store, SearchVectorStore::new("hemp")).await.unwrap();
    assert!(found.data.is_empty());
    assert_eq!(world.library.vector_store(&world.scope, &store).await.unwrap().file_counts.total, 0);
}

#[tokio::test]
async fn a_file_whose_batch_is_cancelled_while_it_is_taken_in_is_never_found() {
    let (world, gate) = gated();
    let file = world.file("a.txt", "hemp").await;
    let store = world.library.create_vector_store(&world.scope, CreateVectorStore::new()).await.unwrap().id;
    let request = CreateVectorStoreFileBatch::new([file.id]);
    let batch = world.library.create_batch(&world.scope, &store, request).await.unwrap();
    gate.reached.acquire().await.unwrap().forget();
    world.library.cancel_batch(&world.scope, &store, &batch.id).await.unwrap();
    gate.let_in_and_out(1).await;
    assert_eq!(gate.holds(&format!("acme/{store}")).await, 0);
    let found = world.library.search(&world.scope, &store, SearchVectorStore::new("hemp")).await.unwrap();
    assert!(found.data.is_empty());
}

#[tokio::test]
async fn attributes_that_change_while_a_file_is_taken_in_are_kept() {
    let (world, gate) = gated();
    let file = world.file("a.txt", "hemp").await;
    let store =
        world.library.create_vector_store(&world.scope, CreateVectorStore::new().file(&file.id)).await;
    let store = store.unwrap().id;
    gate.reached.acquire().await.unwrap().forget();
    let attributes = Attributes::from([("year".to_owned(), AttributeValue::Text("2026".to_owned()))]);
    let modify = ModifyVectorStoreFile::new(attributes.clone());
    world.library.modify_in_store(&world.scope, &store, &file.id, modify).await.unwrap();
    gate.open.add_permits(1);
    world.settled(&store).await;
    let place = world.library.file_in_store(&world.scope, &store, &file.id).await.unwrap();
    let place: VectorStoreFile = place.decode().unwrap();
    assert_eq!((place.status, place.attributes), (VectorStoreFileStatus::Completed, Some(attributes)));
    let filter = serde_json::json!({ "type": "eq", "key": "year", "value": "2026" });
    let mut query = SearchVectorStore::new("hemp");
    query.filters = Some(serde_json::from_value(filter).unwrap());
    assert_eq!(world.library.search(&world.scope, &store, query).await.unwrap().data.len(), 1);
}

#[tokio::test]
async fn a_part_that_comes_behind_the_cancel_leaves_nothing() {
    let world = World::new();
    let request = CreateUpload::new("rope.txt", UploadedPurpose::Vision, 8, "text/plain");
    let upload = world.library.create_upload(&world.scope, request).await.unwrap().id;
    let mut first = world.library.add_part(&world.scope, &upload).await.unwrap();
    first.write("long".into()).await.unwrap();
    let mut second = world.library.add_part(&world.scope, &upload).await.unwrap();
    second.write("rope!".into()).await.unwrap();
    first.finish(&upload).await.unwrap();
    assert!(matches!(second.finish(&upload).await, Err(FileError::Parts(_))));
    let mut late = world.library.add_part(&world.scope, &upload).await.unwrap();
    late.write("rope".into()).await.unwrap();
    world.library.cancel_upload(&world.scope, &upload).await.unwrap();
    assert!(matches!(late.finish(&upload).await, Err(FileError::UploadOver(_))));
    let counters = world.scope.counters(&format!("{upload}/")).await.unwrap();
    assert!(counters.is_empty(), "{counters:?}");
}
