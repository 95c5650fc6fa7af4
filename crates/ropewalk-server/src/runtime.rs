use std::{sync::Arc, time::Duration};

use ropewalk_files::{Library, LibraryOptions, StoreEngine};
use ropewalk_model::Model;
use ropewalk_runs::{BusyPolicy, Clock, Engine, EngineOptions, ServerTool, SystemClock};
use ropewalk_store::{Blobs, Store, StoreError, TimeOrderedIds};
use ropewalk_types::{Id, IdSource, UnixSeconds};
use ropewalk_webhooks::{WebhookOptions, Webhooks};
use tokio_util::sync::CancellationToken;

use crate::{
    ApiKeys, Bounds, KeyId, Keys, MetricsPage, RateLimits,
    caller::{Access, Caller},
    code_interpreter::{CodeInterpreter, CodeInterpreterOptions},
    file_search::{FileSearch, Images},
    rate::{RateMeter, Rates},
    streams::Streams,
    webhooks::RunWebhooks,
};

/// Settings of a runtime.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuntimeOptions {
    /// How long a run may take in all, the wait for tool outputs included; 600 s.
    pub run_expiry: Duration,
    /// What happens to a run or a message for a busy thread, unless its request says; it is refused.
    pub busy: BusyPolicy,
    /// How long an event stream may be silent before a comment in it says that it is alive; up to twice as long at
    /// times. 15 s.
    pub keep_alive: Duration,
    /// Most bytes of a JSON body; 32 MiB.
    pub max_body_bytes: usize,
    /// Settings of the engine.
    pub engine: EngineOptions,
    /// Settings of files and vector stores.
    pub library: LibraryOptions,
    /// Settings of webhooks.
    pub webhooks: WebhookOptions,
    /// Where code of models runs; nowhere: runs that need it fail with a reason.
    pub code_interpreter: Option<CodeInterpreterOptions>,
    /// Who may call, besides whoever has a key in the store.
    pub keys: Keys,
    /// What an organisation may use each minute.
    pub rate_limits: RateLimits,
    /// How much a client may ask of the server's memory.
    pub bounds: Bounds,
    /// What the router serves at `/metrics`, to whoever asks and without a key; it serves nothing there.
    pub metrics: Option<MetricsPage>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            run_expiry: Duration::from_secs(600),
            busy: BusyPolicy::Reject,
            keep_alive: Duration::from_secs(15),
            max_body_bytes: 32 * 1024 * 1024,
            engine: EngineOptions::default(),
            library: LibraryOptions::default(),
            webhooks: WebhookOptions::default(),
            code_interpreter: None,
            keys: Keys::any(),
            rate_limits: RateLimits::default(),
            bounds: Bounds::default(),
            metrics: None,
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
    library: Library,
    webhooks: Webhooks,
    code_interpreter: Option<Arc<CodeInterpreter>>,
    options: RuntimeOptions,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    stored_keys: ApiKeys,
    meter: Arc<RateMeter>,
    streams: Arc<Streams>,
}

/// An [`IdSource`] that can be debugged.
struct Ids(Arc<dyn IdSource>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

impl Runtime {
    /// A runtime over `store`, `blobs` and `model`. Call it inside a tokio runtime.
    pub fn new(store: Store, blobs: Blobs, model: Arc<dyn Model>, options: RuntimeOptions) -> Self {
        Self::with_clock(store, blobs, model, options, Arc::new(SystemClock), Arc::new(TimeOrderedIds))
    }

    /// As [`Runtime::new`], with a clock and ids of your own: for tests.
    pub fn with_clock(
        store: Store,
        blobs: Blobs,
        model: Arc<dyn Model>,
        options: RuntimeOptions,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        let meter = Arc::new(RateMeter { rates: Rates::new(options.rate_limits), clock: clock.clone() });
        let engine =
            Engine::new(store.clone(), model.clone(), clock.clone(), ids.clone(), options.engine.clone());
        let searcher = Arc::new(StoreEngine::new(store.clone()));
        let library = options.library.clone();
        let library = Library::new(store.clone(), blobs, searcher, clock.clone(), ids.clone(), library);
        let webhooks = Webhooks::new(store.clone(), clock.clone(), ids.clone(), options.webhooks.clone());
        let code_interpreter = options.code_interpreter.clone();
        let code_interpreter =
            code_interpreter.map(|options| Arc::new(CodeInterpreter::new(options, library.clone())));
        let mut tools: Vec<Arc<dyn ServerTool>> = vec![Arc::new(FileSearch(library.clone()))];
        if let Some(tool) = &code_interpreter {
            tools.push(tool.clone());
        }
        let engine = engine
            .with_outbox(Arc::new(RunWebhooks(webhooks.clone())))
            .with_meter(meter.clone())
            .with_tools(tools)
            .with_files(Arc::new(Images(library.clone())));
        Self(Arc::new(Inner {
            stored_keys: ApiKeys::new(&store),
            meter,
            streams: Streams::new(&options.bounds),
            store,
            library,
            webhooks,
            code_interpreter,
            model,
            engine,
            options,
            clock,
            ids: Arc::new(Ids(ids)),
        }))
    }

    /// Does the work that no request brings, until `stop`: takes over runs whose process died, ends what has
    /// expired, takes files into vector stores, tells webhooks. Spawn it once beside the router.
    pub async fn work(&self, stop: CancellationToken) {
        self.prepare().await;
        let Inner { engine, library, webhooks, code_interpreter, .. } = &*self.0;
        let sessions = async {
            if let Some(tool) = code_interpreter {
                tool.work(stop.clone()).await;
            }
        };
        tokio::join!(
            engine.work(stop.clone()),
            library.work(stop.clone()),
            webhooks.work(stop.clone()),
            sessions
        );
    }

    /// Learns which webhooks there are, so that they are told of every run that begins later. [`work`](Self::work) and
    /// [`serve`](crate::serve) do it first.
    pub async fn prepare(&self) {
        if let Err(error) = self.0.webhooks.refresh().await {
            // The worker tries again every second.
            tracing::error!(error = &error as &dyn std::error::Error, "webhooks could not be read");
        }
    }

    /// Begins no more work, and ends the streams of runs that nobody drives here.
    pub fn stop(&self) {
        self.0.engine.stop();
    }

    /// [Stops](Self::stop), and waits until no run is being driven any more.
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

    pub(crate) fn library(&self) -> &Library {
        &self.0.library
    }

    pub(crate) fn code_interpreter(&self) -> Option<&CodeInterpreter> {
        self.0.code_interpreter.as_deref()
    }

    pub(crate) fn options(&self) -> &RuntimeOptions {
        &self.0.options
    }

    /// What `key` opens, looked up anew each time: a key that was just made or revoked counts at once.
    pub(crate) async fn access(&self, key: Option<&str>) -> Result<Access, StoreError> {
        let keys = &self.0.options.keys;
        if keys.is_open() && !self.0.stored_keys.has_any().await? {
            return Ok(Access::Local);
        }
        let Some(id) = key.map(KeyId::of) else { return Ok(Access::Refused) };
        if let Some(caller) = keys.find(id) {
            return Ok(Access::Granted(caller.clone()));
        }
        let stored = self.0.stored_keys.find(id, self.now()).await?;
        Ok(stored.map_or(Access::Refused, |key| Access::Granted(Caller::of(key, id))))
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.0.meter.rates
    }

    /// Is told of the tokens that model calls use; those of runs come to it by themselves.
    pub(crate) fn meter(&self) -> &Arc<RateMeter> {
        &self.0.meter
    }

    pub(crate) fn streams(&self) -> &Arc<Streams> {
        &self.0.streams
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.0.clock.now()
    }

    /// A new id.
    pub(crate) fn mint<I: Id>(&self) -> I {
        I::mint(&*self.0.ids.0)
    }
}
