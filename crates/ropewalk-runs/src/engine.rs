use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ropewalk_model::Model;
use ropewalk_store::{Batch, Document, Expect, Kind, Organization, Scope, Store, StoreError};
use ropewalk_types::{IdSource, Metadata, Run, RunId, RunStatus, ThreadId, ToolOutput, Update};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    Clock, Outbox, RunError, Started,
    admission::{Admission, Permit},
    event_log::{EventLog, Tail},
    execution::Execution,
    images::{FileSource, Images},
    journal,
    line::Lines,
    live::{Live, LiveRuns},
    machine::{Context, Effects, Input, Machine, Next},
    meter::Meter,
    record::{self, Versions},
    run_stream::{Reading, RunStream, Until},
    seat::{Home, Seat},
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
    /// Most runs that work at once; 4,096. Others wait, `queued`, in the order of their making, and organisations take
    /// turns.
    pub active_runs: usize,
    /// Runs that wait, to work or for their thread, beyond which no new ones are made; 16,384. One organisation may have
    /// half of them.
    pub queued_runs: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(4), context_window: None, active_runs: 4096, queued_runs: 16_384 }
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
    pub(crate) admission: Arc<Admission>,
    pub(crate) live: LiveRuns,
    pub(crate) lines: Arc<Lines>,
    /// Runs that wait for their thread are no longer this engine's matter.
    pub(crate) stopping: CancellationToken,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) tools: ServerTools,
    pub(crate) images: Images,
    pub(crate) meter: OnceLock<Arc<dyn Meter>>,
    outbox: OnceLock<Arc<dyn Outbox>>,
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

    /// Adds to a commit what others store with the new status of `run`.
    pub(crate) fn announce(&self, batch: Batch, organization: &Organization, run: &Run) -> Batch {
        let puts = self.outbox.get().map(|outbox| outbox.on_status(organization, run));
        puts.into_iter().flatten().fold(batch, Batch::put)
    }

    /// What was [announced](Self::announce) is stored.
    pub(crate) fn announced(&self) {
        self.outbox.get().inspect(|outbox| outbox.committed());
    }

    pub(crate) fn lease_end(&self) -> i64 {
        let lease = i64::try_from(self.options.lease.as_millis()).unwrap_or(i64::MAX);
        self.clock.now_ms().saturating_add(lease)
    }
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
    /// What is told of it.
    pub(crate) log: Arc<EventLog>,
    /// Its first reader, if it has one from the start.
    pub(crate) tail: Option<Tail>,
    /// Lets it work, if it may already.
    pub(crate) permit: Option<Permit>,
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
            admission: Admission::new(options.active_runs.max(1), options.queued_runs),
            options,
            live: LiveRuns::default(),
            lines: Arc::default(),
            stopping: CancellationToken::new(),
            watchers: Arc::default(),
            tools: ServerTools::default(),
            images: Images::default(),
            meter: OnceLock::new(),
            outbox: OnceLock::new(),
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

    /// Asks `outbox` what to store with each status of a run. Say it once, as with [`with_tools`](Self::with_tools).
    #[must_use]
    pub fn with_outbox(self, outbox: Arc<dyn Outbox>) -> Self {
        // Whoever comes second is not heard, as documented.
        let _second = self.shared.outbox.set(outbox);
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
            let permit = if stream { self.shared.admission.try_enter() } else { None };
            if permit.is_some() {
                machine.handle(Input::Claimed, &self.shared.context(), &mut effects);
            }
            let told = journal::last(scope, run).await?;
            let log = EventLog::new(told, told, &[]);
            let tail = if stream { log.read(told) } else { None };
            let draft = log.draft(&effects.events);
            let fence = document.fence + 1;
            let put = record::put_run(machine.run(), machine.state(), self.shared.due_at(machine.run()));
            let put = put.expect(Expect::Version(document.version)).fence(fence);
            let batch = versions.put(&machine, &effects.changes, Batch::new().put(put));
            let batch =
                self.shared.announce(log.store(batch, run, &draft), scope.organization(), machine.run());
            match scope.commit(batch).await {
                Ok(()) => {
                    versions.run = document.version + 1;
                    versions.committed(&effects.changes);
                    log.tell_stored(&draft);
                    self.shared.announced();
                    self.shared.watchers.tell(run);
                    let next = effects.next;
                    let scope = scope.clone();
                    return Ok(self.begin(Launch {
                        scope,
                        machine,
                        versions,
                        fence,
                        first: None,
                        next,
                        log,
                        tail,
                        permit,
                    }));
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
        if !self.rouse(run) {
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
        self.rouse(run);
    }

    /// Makes whoever drives `run` look at the store, soon even if its reader does not read; says whether there is somebody.
    fn rouse(&self, run: &RunId) -> bool {
        let Some(live) = self.shared.live.poke(run) else { return false };
        if let Some(seat) = live.seat() {
            self.shared
                .home
                .tasks
                .spawn_on(async move { seat.relieve_soon().await }, &self.shared.home.runtime);
        }
        true
    }

    /// Begins no more work: runs that wait for their thread or to be started are let go of, for another engine to take
    /// over as if this one had died, and streams of runs that nobody drives here end.
    pub fn stop(&self) {
        self.shared.stopping.cancel();
    }

    /// [Stops](Self::stop), and waits until no run is being driven any more.
    pub async fn idle(&self) {
        self.stop();
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
            let before = run.status.clone();
            let due_at = edit(&mut run, &document)?;
            let put = record::put_run(&run, &state, due_at).expect(Expect::Version(document.version));
            let mut batch = Batch::new().put(put);
            if run.status != before {
                batch = self.shared.announce(batch, scope.organization(), &run);
            }
            match scope.commit(batch).await {
                Ok(()) => {
                    if run.status != before {
                        self.shared.announced();
                    }
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

    /// Begins a run that was just stored.
    pub(crate) fn begin(&self, mut launch: Launch) -> Started {
        let run = launch.machine.run().clone();
        // With a reader the run was claimed as it was stored, unless it waits.
        launch.first = (run.status == RunStatus::Queued).then_some(Input::Claimed);
        Started { run, stream: self.launch(launch) }
    }

    /// Begins an execution: in its reader's task if it has one, else in a task of its own.
    pub(crate) fn launch(&self, launch: Launch) -> Option<RunStream> {
        let Launch { scope, machine, versions, fence, first, next, log, tail, permit } = launch;
        let run = machine.run().id.clone();
        let live = Live::new(scope.organization().clone(), fence, versions.run, log.clone());
        self.shared.live.insert(run.clone(), live.clone());
        // Who waits for it to be driven reads along from here on.
        self.shared.watchers.tell(&run);
        let reading = Reading {
            shared: self.shared.clone(),
            scope: scope.clone(),
            thread: machine.run().thread_id.clone(),
            run,
            until: Until::Parked,
        };
        let execution = Execution {
            shared: self.shared.clone(),
            scope,
            waiting: machine.state().waiting,
            stored_status: machine.run().status.clone(),
            machine,
            versions,
            live: live.clone(),
            log,
            permit,
            call: None,
        };
        // What the run logs stays with the request that drives it, wherever it is polled.
        let driver = Box::pin(execution.drive(first, next).in_current_span());
        match tail {
            None => {
                self.shared.home.take_in(Some(driver));
                None
            }
            Some(tail) => {
                let seat = Seat::new(driver, self.shared.home.clone());
                live.sit(&seat);
                Some(RunStream::new(reading, tail, seat))
            }
        }
    }
}
