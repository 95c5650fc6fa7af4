use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ropewalk_files::{Library, LibraryOptions, StoreEngine};
use ropewalk_search::SearchEngine;
use ropewalk_store::{Blobs, Clock, Organization, Scope, Store, TimeOrderedIds};
use ropewalk_types::{File, FilePurpose, VectorStoreId};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub(crate) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A library with one organisation and a worker.
pub(crate) struct World {
    pub(crate) library: Library,
    pub(crate) scope: Scope,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Arc<Hands>,
    worker: Option<AbortOnDropHandle<()>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(LibraryOptions::default())
    }

    pub(crate) fn with(options: LibraryOptions) -> Self {
        let store = Store::in_memory();
        Self::over(store.clone(), Arc::new(StoreEngine::new(store)), options)
    }

    /// The same over any engine.
    pub(crate) fn over(store: Store, engine: Arc<dyn SearchEngine>, options: LibraryOptions) -> Self {
        let (blobs, clock) = (Blobs::in_memory(), Arc::new(Hands::default()));
        clock.0.store(1_700_000_000_000, Ordering::SeqCst);
        let library = Library::new(
            store.clone(),
            blobs.clone(),
            engine,
            clock.clone(),
            Arc::new(TimeOrderedIds),
            options,
        );
        let scope = store.scope(Organization::new("acme"));
        let mut world = Self { library, scope, store, blobs, clock, worker: None };
        world.work();
        world
    }

    /// Lets the worker begin.
    pub(crate) fn work(&mut self) {
        let library = self.library.clone();
        let work = async move { library.work(CancellationToken::new()).await };
        self.worker = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    /// As if the process died: the worker drops whatever it does.
    pub(crate) fn stop_working(&mut self) {
        self.worker = None;
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(time.as_millis() as i64, Ordering::SeqCst);
    }

    pub(crate) async fn file(&self, name: &str, text: &str) -> File {
        let mut incoming = self.library.add_file(&self.scope).await.unwrap();
        incoming.write(text.to_owned().into()).await.unwrap();
        incoming.finish(name, FilePurpose::Assistants, None).await.unwrap()
    }

    pub(crate) async fn settled(&self, store: &VectorStoreId) {
        self.library.settled(&self.scope, store, Duration::from_secs(30)).await.unwrap();
    }
}
