use std::{
    convert::Infallible,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, routing::future::RouteFuture};
use http::{Request, Response};
use ropewalk_model::Model;
use ropewalk_server::{Runtime, RuntimeOptions, router};
use ropewalk_store::{Blobs, Store, StoreError};
use ropewalk_transport::Body;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::Service;

/// A runtime inside this program, to be given to [`Client::embedded`](crate::Client::embedded). Cheap to clone.
///
/// It answers as a server does, and its runs are tasks of the tokio runtime that it was made in. When its last
/// clone is gone, and with it the last client, it takes up nothing more; runs that are under way go on while the
/// tokio runtime lives. Objects in a folder are there again at the next start, and unfinished runs are taken up.
///
/// # Panics
///
/// Making one outside of a tokio runtime panics, as `tokio::spawn` does.
#[derive(Debug, Clone)]
pub struct Embedded {
    router: Router,
    /// Stops the worker with the last clone.
    _worker: Arc<DropGuard>,
}

impl Embedded {
    /// A runtime that forgets everything with the program.
    pub fn in_memory(model: impl Model) -> Self {
        Self::new(Store::in_memory(), Blobs::in_memory(), Arc::new(model), RuntimeOptions::default())
    }

    /// A runtime that keeps everything in `folder`, in SQLite, and files beside it; makes the folder if it is missing. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another program has the folder; those of [`Store::sqlite`].
    pub fn open(folder: impl AsRef<Path>, model: impl Model) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        let (store, blobs) = (Store::sqlite(folder)?, Blobs::in_folder(folder.join("blobs"))?);
        Ok(Self::new(store, blobs, Arc::new(model), RuntimeOptions::default()))
    }

    /// A runtime over any store and any home of files, with any settings.
    pub fn new(store: Store, blobs: Blobs, model: Arc<dyn Model>, options: RuntimeOptions) -> Self {
        let runtime = Runtime::new(store, blobs, model, options);
        let stop = CancellationToken::new();
        tokio::spawn({
            let (runtime, stop) = (runtime.clone(), stop.clone());
            async move { runtime.work(stop).await }
        });
        Self { router: router(runtime), _worker: Arc::new(stop.drop_guard()) }
    }
}

impl Service<Request<Body>> for Embedded {
    type Response = Response<axum::body::Body>;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.router.call(request)
    }
}
