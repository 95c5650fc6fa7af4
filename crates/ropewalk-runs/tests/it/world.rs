use std::sync::Arc;

use futures_util::StreamExt;
use ropewalk_events::{Event, EventStream, Grammar};
use ropewalk_model::{ScriptedModel, Turn};
use ropewalk_runs::{Clock, Engine, EngineOptions, NewRun, RunStream, Started};
use ropewalk_store::{Batch, Kind, ListRequest, Organization, Scope, Store, TimeOrderedIds};
use ropewalk_types::{
    CreateMessage, Function, Id, Message, Order, Run, RunId, RunStep, Thread, ThreadId, Tool, UnixSeconds,
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// The system's time as tokio's tests see it.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// A thread with one message in it, and engines that share a store.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) scope: Scope,
    pub(crate) thread: ThreadId,
    clock: Arc<TokioClock>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(Store::in_memory()).await
    }

    pub(crate) async fn over(store: Store) -> Self {
        let scope = store.scope(Organization::new("org-a"));
        let clock = Arc::new(TokioClock(Instant::now()));
        let thread = Thread::new(ThreadId::mint(&TimeOrderedIds), clock.now());
        let world = Self { store, scope, thread: thread.id.clone(), clock };
        let message = world.message("What is the price?");
        let batch = Batch::new()
            .put(ropewalk_runs::record::put_thread(&thread))
            .put(ropewalk_runs::record::put_message(&message));
        world.scope.commit(batch).await.unwrap();
        world
    }

    pub(crate) fn message(&self, text: &str) -> Message {
        let id = Id::mint(&TimeOrderedIds);
        Message::new(id, self.thread.clone(), self.clock.now(), CreateMessage::user(text))
    }

    pub(crate) fn engine(&self, turns: impl IntoIterator<Item = Turn>) -> Engine {
        self.engine_over(&ScriptedModel::with_turns(turns))
    }

    pub(crate) fn engine_over(&self, model: &ScriptedModel) -> Engine {
        self.engine_with(model, EngineOptions::default())
    }

    pub(crate) fn engine_with(&self, model: &ScriptedModel, options: EngineOptions) -> Engine {
        let (model, ids) = (Arc::new(model.clone()), Arc::new(TimeOrderedIds));
        Engine::new(self.store.clone(), model, self.clock.clone(), ids, options)
    }

    /// Lets `engine` do what no request brings, until the handle is dropped.
    pub(crate) fn work(&self, engine: &Engine) -> AbortOnDropHandle<()> {
        let engine = engine.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { engine.work(CancellationToken::new()).await }))
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    pub(crate) fn run(&self) -> Run {
        let now = self.now();
        let id = RunId::mint(&TimeOrderedIds);
        let mut run =
            Run::new(id, self.thread.clone(), "asst_1".into(), "a-model".into(), now, now.plus(600));
        run.tools = vec![Tool::function(Function::new("get_stock_price")), Tool::CodeInterpreter];
        run.tools.push(Tool::FileSearch { file_search: None });
        run
    }

    pub(crate) async fn start(&self, engine: &Engine, stream: bool) -> Started {
        let new = NewRun { stream, ..NewRun::new(self.run()) };
        engine.create(&self.scope, new).await.unwrap()
    }

    pub(crate) async fn stored(&self, run: &RunId) -> Run {
        self.scope.get(Kind::Run, run.as_str()).await.unwrap().unwrap().decode().unwrap()
    }

    /// Waits until the run satisfies `done`. Time moves on while everybody waits.
    pub(crate) async fn until(&self, run: &RunId, done: impl Fn(&Run) -> bool) -> Run {
        for _ in 0..100_000 {
            let stored = self.stored(run).await;
            if done(&stored) {
                return stored;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the run is still {:?}", self.stored(run).await.status);
    }

    pub(crate) async fn steps(&self, run: &RunId) -> Vec<RunStep> {
        self.list(Kind::RunStep, run.as_str()).await
    }

    pub(crate) async fn messages(&self) -> Vec<Message> {
        self.list(Kind::Message, self.thread.as_str()).await
    }

    async fn list<T: DeserializeOwned>(&self, kind: Kind, parent: &str) -> Vec<T> {
        let request = ListRequest::new(kind).parent(parent).limit(100).order(Order::Asc);
        let page = self.scope.list(&request).await.unwrap();
        page.documents.iter().map(|document| document.decode().unwrap()).collect()
    }
}

/// Reads a stream to its end and holds it to the grammar.
pub(crate) async fn read(stream: Option<RunStream>, mut grammar: Grammar) -> Vec<Event> {
    let bytes = stream.unwrap().map(Ok::<_, std::io::Error>);
    let events: Vec<Event> = EventStream::new(bytes).map(Result::unwrap).collect().await;
    for event in &events {
        grammar.accept(event).unwrap();
    }
    events
}

pub(crate) fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::name).collect()
}
