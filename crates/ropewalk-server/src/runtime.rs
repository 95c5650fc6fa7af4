use std::{sync::Arc, time::Duration};

use ropewalk_model::Model;
use ropewalk_runs::{Clock, Engine, EngineOptions, SystemClock};
use ropewalk_store::{Store, TimeOrderedIds};
use ropewalk_types::{Id, IdSource, UnixSeconds};
use tokio_util::sync::CancellationToken;

use crate::Keys;

/// Settings of a runtime.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuntimeOptions {
    /// How long a run may take in all, the wait for tool outputs included; 600 s.
    pub run_expiry: Duration,
    /// Most bytes of a JSON body; 32 MiB.
    pub max_body_bytes: usize,
    /// Settings of the engine.
    pub engine: EngineOptions,
    /// Who may call.
    pub keys: Keys,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            run_expiry: Duration::from_secs(600),
            max_body_bytes: 32 * 1024 * 1024,
            engine: EngineOptions::default(),
            keys: Keys::any(),
        }
    }
}

/// Everything behind the routes: the store, the model, and the engine that drives runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    model: Arc<dyn Model>,
    engine: Engine,
    options: RuntimeOptions,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
}

/// An [`IdSource`] that can be debugged.
struct Ids(Arc<dyn IdSource>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

impl Runtime {
    /// A runtime over `store` and `model`. Call it inside a tokio runtime.
    pub fn new(store: Store, model: Arc<dyn Model>, options: RuntimeOptions) -> Self {
        Self::with_clock(store, model, options, Arc::new(SystemClock), Arc::new(TimeOrderedIds))
    }

    /// As [`Runtime::new`], with a clock and ids of your own: for tests.
    pub fn with_clock(
        store: Store,
        model: Arc<dyn Model>,
        options: RuntimeOptions,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        let engine =
            Engine::new(store.clone(), model.clone(), clock.clone(), ids.clone(), options.engine.clone());
        Self(Arc::new(Inner { store, model, engine, options, clock, ids: Arc::new(Ids(ids)) }))
    }

    /// Does the work that no request brings, until `stop`: takes over runs whose process died, ends those whose
    /// time is over. Spawn it once beside the router.
    pub async fn work(&self, stop: CancellationToken) {
        self.0.engine.work(stop).await;
    }

    /// Waits until no run is being driven any more.
    pub async fn idle(&self) {
        self.0.engine.idle().await;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn model(&self) -> &dyn Model {
        &*self.0.model
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn options(&self) -> &RuntimeOptions {
        &self.0.options
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.options.keys
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.0.clock.now()
    }

    /// A new id.
    pub(crate) fn mint<I: Id>(&self) -> I {
        I::mint(&*self.0.ids.0)
    }
}
