use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ropewalk_events::Event;
use ropewalk_model::Model;
use ropewalk_store::{Batch, Document, Expect, Kind, Scope, Store, StoreError};
use ropewalk_types::{
    Budget, IdSource, Message, Metadata, Run, RunId, RunStatus, RunStepInclude, Thread, ThreadId, ToolOutput,
    Update,
};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    BusyPolicy, Clock, RunError,
    execution::Execution,
    feed::Feed,
    images::{FileSource, Images},
    line::Lines,
    live::{Live, LiveRuns},
    machine::{Context, Effects, Input, Machine, Next},
    meter::Meter,
    record::{self, Versions},
    run_stream::{Home, RunStream},
    server_tool::{ServerTool, ServerTools},
    watch::Watchers,
};

/// Tries of a change that others keep getting ahead of.
const CHANGE_TRIES: usize = 20;

/// Settings of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How long a run belongs to a worker that shows no sign of life; 4 s.
    pub lease: Duration,
    /// Most tokens that a model may be shown and write in one call, if prompts are to be cut to that: three quarters
    /// of it are for the prompt. None unless set.
    pub context_window: Option<u64>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(4), context_window: None }
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
    pub(crate) lines: Arc<Lines>,
    /// Runs that wait for their thread are no longer this engine's matter.
    pub(crate) stopping: CancellationToken,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) tools: ServerTools,
    pub(crate) images: Images,
    pub(crate) meter: OnceLock<Arc<dyn Meter>>,
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
        Context::new(self.clock.now(), &*self.ids).offering(self.tools.offered())
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
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The run, `queued`.
    pub run: Run,
    /// Its thread, if that is to be made with it.
    pub thread: Option<Thread>,
    /// Messages to add to the thread first, in order.
    pub messages: Vec<Message>,
    /// Whether somebody will read its events.
    pub stream: bool,
    /// What its events tell of steps besides the usual.
    pub include: Vec<RunStepInclude>,
    /// Names the key that it is made with, for the [`Meter`].
    pub key: Option<String>,
    /// What all runs made with that key may use together.
    pub key_budget: Option<Budget>,
    /// What else is to be stored with it.
    pub also: Batch,
    /// What happens if its thread is busy; it is refused unless told.
    pub busy: BusyPolicy,
}

impl NewRun {
    /// `run` on its thread as it is, without a reader.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            thread: None,
            messages: Vec::new(),
            stream: false,
            include: Vec::new(),
            key: None,
            key_budget: None,
            also: Batch::new(),
            busy: BusyPolicy::Reject,
        }
    }
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
    /// What they tell of steps besides the usual.
    pub(crate) include: Vec<RunStepInclude>,
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
        let shared = Shared {
            store,
            model,
            clock,
            ids,
            options,
            live: LiveRuns::default(),
            lines: Arc::default(),
            stopping: CancellationToken::new(),
            watchers: Arc::default(),
            tools: ServerTools::default(),
            images: Images::default(),
            meter: OnceLock::new(),
            due: Notify::new(),
            home,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Lets runs use these tools of the server. Say it once, before the first run; what is said later is not heard.
    #[must_use]
    pub fn with_tools(self, tools: Vec<Arc<dyn ServerTool>>) -> Self {
        self.shared.tools.set(tools);
        self
    }

    /// Lets runs show the model the image files of `source`. Say it once, as with [`with_tools`](Self::with_tools).
    #[must_use]
    pub fn with_files(self, source: Arc<dyn FileSource>) -> Self {
        self.shared.images.set(source);
        self
    }

    /// Tells `meter` what model calls use. Say it once, as with [`with_tools`](Self::with_tools).
    #[must_use]
    pub fn with_meter(self, meter: Arc<dyn Meter>) -> Self {
        // Whoever comes second is not heard, as documented.
        let _second = self.shared.meter.set(meter);
        self
    }

    /// Answers all calls that a run waits for, so that it goes on.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], [`RunError::NotWaiting`], [`RunError::WrongOutputs`], [`RunError::Store`];
    /// nothing was stored then, but for one thing: outputs that come when their run is expired or cancelled are kept
    /// on their step.
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
            let late = late && stored.status == RunStatus::RequiresAction;
            let (mut machine, mut versions) = record::restore(scope, &document).await?;
            let mut effects = Effects::default();
            if late || matches!(stored.status, RunStatus::Expired | RunStatus::Cancelled) {
                if machine.keep_late_outputs(outputs, &mut effects) {
                    let as_read = Batch::new().require_version(Kind::Run, run.as_str(), document.version);
                    match scope.commit(versions.put(&machine, &effects.changes, as_read)).await {
                        Ok(()) => {}
                        Err(StoreError::Conflict { .. }) => continue,
                        Err(error) => return Err(error.into()),
                    }
                }
                if late {
                    self.shared.due.notify_one();
                }
                let status = if late { RunStatus::Expired } else { stored.status };
                return Err(RunError::NotWaiting { status });
            }
            machine.submit(outputs, &self.shared.context(), &mut effects)?;
            if stream {
                machine.handle(Input::Claimed, &self.shared.context(), &mut effects);
            }
            let fence = document.fence + 1;
            let put = record::put_run(machine.run(), machine.state(), self.shared.due_at(machine.run()));
            let put = put.expect(Expect::Version(document.version)).fence(fence);
            match scope.commit(versions.put(&machine, &effects.changes, Batch::new().put(put))).await {
                Ok(()) => {
                    versions.run = document.version + 1;
                    versions.committed(&effects.changes);
                    self.shared.watchers.tell(run);
                    let include = stream.then(Vec::new);
                    return Ok(self.begin(scope, machine, versions, fence, effects, include));
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

    /// Waits until no run is being driven any more. Runs that wait for their thread are let go of: another engine takes
    /// them over, as if this one had died.
    pub async fn idle(&self) {
        self.shared.stopping.cancel();
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
                Ok(()) => {
                    self.shared.watchers.tell(&run.id);
                    return Ok(run);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Store(StoreError::Busy))
    }

    pub(crate) async fn load(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
    ) -> Result<(Run, Document), RunError> {
        let stored = record::get::<Run>(scope, Kind::Run, run.as_str()).await?;
        let on_thread = stored.filter(|(stored, _)| stored.thread_id == *thread);
        on_thread.ok_or_else(|| RunError::NoRun(run.clone()))
    }

    pub(crate) fn begin(
        &self,
        scope: &Scope,
        machine: Machine,
        versions: Versions,
        fence: u64,
        effects: Effects,
        include: Option<Vec<RunStepInclude>>,
    ) -> Started {
        let run = machine.run().clone();
        let stream = include.is_some();
        // With a reader the run was claimed as it was stored, unless it waits.
        let unclaimed = run.status == RunStatus::Queued;
        let stream = self.launch(Launch {
            scope: scope.clone(),
            machine,
            versions,
            fence,
            first: unclaimed.then_some(Input::Claimed),
            next: effects.next,
            stream: stream.then_some(effects.events),
            include: include.unwrap_or_default(),
        });
        Started { run, stream }
    }

    /// Begins an execution: in its reader's task if it has one, else in a task of its own.
    pub(crate) fn launch(&self, launch: Launch) -> Option<RunStream> {
        let Launch { scope, machine, versions, fence, first, next, stream, include } = launch;
        let run = machine.run().id.clone();
        let live = Live::new(scope.organization().clone(), fence, versions.run);
        self.shared.live.insert(run, live.clone());
        let feed = Arc::new(Feed::new(stream.is_some(), &include));
        let (shared, waiting) = (self.shared.clone(), machine.state().waiting);
        let (live_run, feed_of_run) = (live.clone(), feed.clone());
        let execution = Execution {
            shared,
            scope,
            machine,
            versions,
            live: live_run,
            feed: feed_of_run,
            waiting,
            call: None,
        };
        // What the run logs stays with the request that drives it, wherever it is polled.
        let driver = Box::pin(execution.drive(first, next).in_current_span());
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
