//! A small library: `cargo run -p ropewalk-files --example library`.
#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::{error::Error, sync::Arc, time::Duration};

use ropewalk_files::{Library, LibraryOptions, StoreEngine};
use ropewalk_store::{Blobs, Organization, Scope, Store, SystemClock, TimeOrderedIds};
use ropewalk_types::{
    CreateVectorStore, CreateVectorStoreFileBatch, FileId, FilePurpose, SearchVectorStore, TextContent,
};
use tokio_util::sync::CancellationToken;

const BOOKS: [(&str, &str); 3] = [
    ("hemp.txt", "Hemp is strong and cheap. It swells and shrinks when it is wet."),
    ("manila.txt", "Manila floats and does not mind salt water; it is the rope of ships."),
    ("nylon.txt", "Nylon stretches under load and takes a shock better than any natural fibre."),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Store::in_memory();
    let engine = Arc::new(StoreEngine::new(store.clone()));
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(TimeOrderedIds));
    let library =
        Library::new(store.clone(), Blobs::in_memory(), engine, clock, ids, LibraryOptions::default());
    let stop = CancellationToken::new();
    let worker = tokio::spawn({
        let (library, stop) = (library.clone(), stop.clone());
        async move { library.work(stop).await }
    });

    let mine = store.scope(Organization::new("ropemaker"));
    let mut files = Vec::new();
    for (name, text) in BOOKS {
        files.push(add(&library, &mine, name, text).await?);
    }
    let shelf = library.create_vector_store(&mine, CreateVectorStore::new().name("fibres")).await?;
    let batch = library.create_batch(&mine, &shelf.id, CreateVectorStoreFileBatch::new(files)).await?;
    println!("{} files are being taken in", batch.file_counts.total);
    library.settled(&mine, &shelf.id, Duration::from_secs(10)).await?;

    for question in ["Which rope floats in salt water?", "What stretches?"] {
        println!("{question}");
        for result in library.search(&mine, &shelf.id, SearchVectorStore::new(question)).await?.data {
            let TextContent::Text { text } = &result.content[0];
            println!("  {:.2} {}: {text}", result.score, result.filename);
        }
    }
    stop.cancel();
    Ok(worker.await?)
}

async fn add(library: &Library, scope: &Scope, name: &str, text: &str) -> Result<FileId, Box<dyn Error>> {
    let mut incoming = library.add_file(scope).await?;
    incoming.write(text.to_owned().into()).await?;
    Ok(incoming.finish(name, FilePurpose::Assistants, None).await?.id)
}
