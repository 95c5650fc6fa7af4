use std::{fmt, sync::Arc, time::Duration};

use ropewalk_events::Event;
use ropewalk_model::Model;
use ropewalk_store::{Batch, Document, Expect, Kind, Scope, Store, StoreError};
use ropewalk_types::{
    IdSource, Message, Metadata, Run, RunId, RunStatus, Thread, ThreadId, ToolOutput, Update,
};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::task::TaskTracker;

use crate::{
    Clock, RunError,
    execution::Execution,
    feed::Feed,
    live::{Live, LiveRuns},
    machine::{Context, Effects, Input, Machine, Next},
    record::{self, Versions},
    run_stream::{Home, RunStream},
};

/// Tries of a change that others keep getting ahead of.
const CHANGE_TRIES: usize = 20;

/// Settings of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How long a run belongs to a worker that shows no sign of life; 4 s.
    pub lease: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(4) }
    }
}

/// Drives runs on a server: makes them, answers for them, recovers them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) options: EngineOptions,
    pub(crate) live: LiveRuns,
    /// Wakes the worker before its next tick.
    pub(crate) due: Notify,
    home: Home,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("model", &self.model).field("live", &self.live).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn context(&self) -> Context<'_> {
        Context { now: self.clock.now(), ids: &*self.ids }
    }

    /// When somebody has to look at `run` next, in Unix milliseconds.
    pub(crate) fn due_at(&self, run: &Run) -> Option<i64> {
        match run.status {
            _ if run.status.is_terminal() => None,
            RunStatus::RequiresAction => run.expires_at.map(|at| at.0.saturating_mul(1000)),
            _ => Some(self.lease_end()),
        }
    }

    pub(crate) fn lease_end(&self) -> i64 {
        let lease = i64::try_from(self.options.lease.as_millis()).unwrap_or(i64::MAX);
        self.clock.now_ms().saturating_add(lease)
    }
}

/// A run to make.
#[derive(Debug)]
pub struct NewRun {
    /// The run, `queued`.
    pub run: Run,
    /// Its thread, if that is to be made with it.
    pub thread: Option<Thread>,
    /// Messages to add to the thread first, in order.
    pub messages: Vec<Message>,
    /// Whether somebody will read its events.
    pub stream: bool,
}

/// A run that was started, or goes on.
#[derive(Debug)]
pub struct Started {
    /// As it was committed.
    pub run: Run,
    /// Its events, if asked for.
    pub stream: Option<RunStream>,
}

/// An execution to begin.
pub(crate) struct Launch {
    pub(crate) scope: Scope,
    pub(crate) machine: Machine,
    pub(crate) versions: Versions,
    pub(crate) fence: u64,
    /// What to hand to the machine first.
    pub(crate) first: Option<Input>,
    /// What to do if there is no first input.
    pub(crate) next: Next,
    /// Events to send first, if somebody reads.
    pub(crate) stream: Option<Vec<Event>>,
}

impl Engine {
    /// An engine over `store` and `model`. Call it inside a tokio runtime, which its runs live on.
    pub fn new(
        store: Store,
        model: Arc<dyn Model>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        options: EngineOptions,
    ) -> Self {
        let home = Home { tasks: TaskTracker::new(), runtime: Handle::current() };
        let shared =
            Shared { store, model, clock, ids, options, live: LiveRuns::default(), due: Notify::new(), home };
        Self { shared: Arc::new(shared) }
    }

    /// Makes a run and begins it.
    ///
    /// # Errors
    ///
    /// [`RunError::NoThread`], [`RunError::ThreadBusy`], [`RunError::Store`]; nothing was stored then.
    pub async fn create(&self, scope: &Scope, new: NewRun) -> Result<Started, RunError> {
        let NewRun { run, thread, messages, stream } = new;
        let thread_id = run.thread_id.clone();
        let mut machine = Machine::new(run);
        let mut effects = Effects::default();
        let mut batch = match &thread {
            None => Batch::new().require(Kind::Thread, thread_id.as_str()),
            Some(thread) => {
                effects.events.push(Event::ThreadCreated(Box::new(thread.clone())));
                Batch::new().put(record::put_thread(thread).expect(Expect::Absent))
            }
        };
        machine.handle(Input::Created, &self.shared.context(), &mut effects);
        if stream {
            machine.handle(Input::Claimed, &self.shared.context(), &mut effects);
        }
        for message in &messages {
            batch = batch.put(record::put_message(message).expect(Expect::Absent));
        }
        let put = record::put_run(machine.run(), machine.state(), self.shared.due_at(machine.run()));
        batch = batch.put(put.expect(Expect::Absent).fence(1));
        match scope.commit(batch).await {
            Ok(()) => {}
            Err(StoreError::Locked { holder, .. }) => {
                return Err(RunError::ThreadBusy { thread: thread_id, run: holder });
            }
            Err(StoreError::Missing { kind: Kind::Thread, .. }) => return Err(RunError::NoThread(thread_id)),
            Err(error) => return Err(error.into()),
        }
        Ok(self.begin(scope, machine, Versions::new(1), 1, effects, stream))
    }

    /// Answers all calls that a run waits for, so that it goes on.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], [`RunError::NotWaiting`], [`RunError::WrongOutputs`], [`RunError::Store`];
    /// nothing was stored then.
    pub async fn submit(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        outputs: &[ToolOutput],
        stream: bool,
    ) -> Result<Started, RunError> {
        for _ in 0..CHANGE_TRIES {
            let (stored, document) = self.load(scope, thread, run).await?;
            let late = stored.expires_at.is_some_and(|at| at <= self.shared.clock.now());
            if late && stored.status == RunStatus::RequiresAction {
                self.shared.due.notify_one();
                return Err(RunError::NotWaiting { status: RunStatus::Expired });
            }
            let (mut machine, mut versions) = record::restore(scope, &document).await?;
            let mut effects = Effects::default();
            machine.submit(outputs, &self.shared.context(), &mut effects)?;
            if stream {
                machine.handle(Input::Claimed, &self.shared.context(), &mut effects);
            }
            let fence = document.fence + 1;
            let put = record::put_run(machine.run(), machine.state(), self.shared.due_at(machine.run()));
            let put = put.expect(Expect::Version(document.version)).fence(fence);
            match scope.commit(versions.put(&effects.changes, Batch::new().put(put))).await {
                Ok(()) => {
                    versions.run = document.version + 1;
                    versions.committed(&effects.changes);
                    return Ok(self.begin(scope, machine, versions, fence, effects, stream));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Store(StoreError::Busy))
    }

    /// Asks a run to stop; gives it back as `cancelling`. It turns `cancelled` right after.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], [`RunError::NotCancellable`], [`RunError::Store`].
    pub async fn cancel(&self, scope: &Scope, thread: &ThreadId, run: &RunId) -> Result<Run, RunError> {
        let cancelled = self
            .change(scope, thread, run, |run, document| {
                let waiting = run.status == RunStatus::RequiresAction;
                let mut machine = Machine::new(run.clone());
                machine.request_cancel(&mut Effects::default())?;
                *run = machine.run().clone();
                // Nobody drives a run that waits: it is due at once, for the worker to end.
                Ok(if waiting { Some(self.shared.clock.now_ms()) } else { document.due_at })
            })
            .await?;
        if !self.shared.live.poke(run) {
            self.shared.due.notify_one();
        }
        Ok(cancelled)
    }

    /// Changes the notes on a run, in any status.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], [`RunError::Store`].
    pub async fn modify(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        metadata: Update<Metadata>,
    ) -> Result<Run, RunError> {
        let modified = self
            .change(scope, thread, run, |run, document| {
                metadata.clone().apply(&mut run.metadata);
                run.metadata.get_or_insert_default();
                Ok(document.due_at)
            })
            .await?;
        // Its lease is renewed at the version that its driver knows.
        self.shared.live.poke(run);
        Ok(modified)
    }

    /// Tells whoever drives `run` that it, or its thread, was changed or deleted.
    pub fn poke(&self, run: &RunId) {
        self.shared.live.poke(run);
    }

    /// Waits until no run is being driven any more.
    pub async fn idle(&self) {
        self.shared.home.tasks.close();
        self.shared.home.tasks.wait().await;
    }

    /// Changes a stored run; `edit` says when it is due next.
    async fn change(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        edit: impl Fn(&mut Run, &Document) -> Result<Option<i64>, RunError>,
    ) -> Result<Run, RunError> {
        for _ in 0..CHANGE_TRIES {
            let (mut run, document) = self.load(scope, thread, run).await?;
            let state = document.decode_state()?.unwrap_or_default();
            let due_at = edit(&mut run, &document)?;
            let put = record::put_run(&run, &state, due_at).expect(Expect::Version(document.version));
            match scope.commit(Batch::new().put(put)).await {
                Ok(()) => return Ok(run),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Store(StoreError::Busy))
    }

    async fn load(&self, scope: &Scope, thread: &ThreadId, run: &RunId) -> Result<(Run, Document), RunError> {
        let stored = record::get::<Run>(scope, Kind::Run, run.as_str()).await?;
        let on_thread = stored.filter(|(stored, _)| stored.thread_id == *thread);
        on_thread.ok_or_else(|| RunError::NoRun(run.clone()))
    }

    fn begin(
        &self,
        scope: &Scope,
        machine: Machine,
        versions: Versions,
        fence: u64,
        effects: Effects,
        stream: bool,
    ) -> Started {
        let run = machine.run().clone();
        let stream = self.launch(Launch {
            scope: scope.clone(),
            machine,
            versions,
            fence,
            first: (!stream).then_some(Input::Claimed),
            next: effects.next,
            stream: stream.then_some(effects.events),
        });
        Started { run, stream }
    }

    /// Begins an execution: in its reader's task if it has one, else in a task of its own.
    pub(crate) fn launch(&self, launch: Launch) -> Option<RunStream> {
        let Launch { scope, machine, versions, fence, first, next, stream } = launch;
        let run = machine.run().id.clone();
        let live = Live::new(scope.organization().clone(), fence, versions.run);
        self.shared.live.insert(run, live.clone());
        let feed = Arc::new(Feed::new(stream.is_some()));
        let shared = self.shared.clone();
        let execution =
            Execution { shared, scope, machine, versions, live: live.clone(), feed: feed.clone() };
        let driver = Box::pin(execution.drive(first, next));
        match stream {
            None => {
                self.shared.home.take_in(Some(driver));
                None
            }
            Some(events) => {
                feed.send(&events);
                let stream = RunStream::new(feed, driver, self.shared.home.clone());
                live.sit(stream.seat());
                Some(stream)
            }
        }
    }
}
