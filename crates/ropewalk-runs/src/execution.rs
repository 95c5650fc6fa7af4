//! One run being driven: a short loop around the machine.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use ropewalk_model::{ModelError, ModelErrorKind, ModelEvent};
use ropewalk_store::{Batch, Durability, Expect, Kind, Scope, StoreError};
use ropewalk_types::{LastErrorCode, Message, Run, RunStatus};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

use crate::{
    RunError,
    admission::Permit,
    call_watch::CallWatch,
    conversation::model_request,
    engine::Shared,
    event_log::{End, EventLog},
    history::history,
    journal::{self, Draft},
    line::{self, Rank},
    live::Live,
    machine::{Change, Effects, Failure, Input, Machine, Next, RunState},
    measures,
    model_call::ModelCall,
    record::{self, Versions},
    trace::AgentSpan,
};

/// Tries of one commit before the run is left to the next worker.
const COMMIT_TRIES: u32 = 5;

/// One run being driven by this process.
pub(crate) struct Execution {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scope: Scope,
    pub(crate) machine: Machine,
    pub(crate) versions: Versions,
    pub(crate) live: Arc<Live>,
    pub(crate) log: Arc<EventLog>,
    /// Its status in the store.
    pub(crate) stored_status: RunStatus,
    /// Lets the run work, from the moment on when it may.
    pub(crate) permit: Option<Permit>,
    /// Where the store has the run in the line of its thread.
    pub(crate) waiting: Option<Rank>,
    /// The model call that is under way.
    pub(crate) call: Option<ModelCall>,
}

/// Items of a source, such as events of the model, after which a poke or the deadline is looked for, though more
/// items are there. While a model speaks, nothing else costs anything.
const LISTEN_EVERY: u32 = 64;

/// What a run waits for while a model speaks or tools work.
enum Happening<T> {
    Poked,
    Deadline,
    Came(Option<T>),
}

async fn interruption<T>(live: &Live, deadline: Instant) -> Happening<T> {
    tokio::select! {
        biased;
        () = live.poke.notified() => Happening::Poked,
        () = sleep_until(deadline) => Happening::Deadline,
    }
}

impl Execution {
    /// Drives the run until it waits for outputs, is over, or belongs to somebody else. A first `input` is
    /// taken before that; without one the machine's last `next` is done.
    pub(crate) async fn drive(mut self, input: Option<Input>, next: Next) {
        let agent = AgentSpan::begin(&self.scope, &self.machine, self.live.fence()).await;
        let driven = AssertUnwindSafe(self.drive_to_end(input, next)).catch_unwind();
        let driven = driven.instrument(agent.span()).await;
        let driven = match driven {
            Ok(driven) => driven,
            // A model is foreign code. A run that it breaks has failed, and is nobody else's to try.
            Err(_) => {
                self.take(Input::ModelFailed(Failure::server("Sorry, something went wrong."))).await.map(drop)
            }
        };
        agent.end(&self.machine, &driven);
        let run = &self.machine.run().id;
        let end = match driven {
            Ok(()) => End::Finished,
            Err(RunError::Lost) => End::LetGo,
            Err(error) => {
                tracing::error!(%run, error = &error as &dyn std::error::Error, "run left to the next worker");
                End::LetGo
            }
        };
        // First, for who finds the log here reads it.
        self.shared.live.remove(run, &self.live);
        if end == End::LetGo && self.shared.stopping.is_cancelled() {
            // Another process need not wait until the lease is over. If this fails, it does.
            let now = self.shared.clock.now_ms();
            let _left = self.shared.store.renew(&[self.live.lease(run)], now).await;
        }
        self.log.close(end);
    }

    async fn drive_to_end(&mut self, input: Option<Input>, mut next: Next) -> Result<(), RunError> {
        let input = match input {
            Some(Input::Claimed | Input::Recovered) if self.waits() => Some(self.wait_turn().await?),
            input => input,
        };
        let input = match input {
            Some(input @ (Input::Claimed | Input::Recovered)) => Some(self.enter_work(input).await?),
            input => input,
        };
        if let Some(input) = input {
            next = self.take(input).await?;
        }
        loop {
            next = match next {
                Next::CallModel => self.turn().await?,
                Next::CallTools => self.call_tools().await?,
                Next::Continue | Next::Park | Next::End => return Ok(()),
            };
        }
    }

    /// One model call, to its end.
    async fn turn(&mut self) -> Result<Next, RunError> {
        let messages = history(&self.scope, self.machine.run()).await?;
        let built_in = self.shared.tools.functions(&self.scope, self.machine.run()).await;
        let request = model_request(&self.machine, &built_in, &messages);
        drop(messages);
        let mut request = match self.afford(request).await? {
            Ok(request) => request,
            Err(next) => return Ok(next),
        };
        self.machine.prompted(request.messages.len());
        let (shared, scope) = (self.shared.clone(), self.scope.clone());
        let mut watch = CallWatch::begin(self.machine.run(), &request);
        let answer = async move {
            shared.images.fill(&mut request, &scope).await;
            shared.model.stream(&request).await
        };
        let events = stream::once(answer.instrument(watch.span()));
        let events = pin!(events.try_flatten().inspect(move |event| watch.hear(event)));
        let before = self.machine.state().usage.total_tokens;
        let next = self
            .follow(events, |this, event| match event {
                Some(Ok(event)) => Input::Model(event),
                Some(Err(error)) => Input::ModelFailed(this.failure(&error)),
                None => Input::ModelEnded,
            })
            .await;
        let state = self.machine.state();
        if let Some(meter) = self.shared.meter.get() {
            let used = state.usage.total_tokens.saturating_sub(before);
            meter.used(self.scope.organization(), state.key.as_deref(), used);
        }
        next
    }

    /// Hands what comes of `source` to the machine, as `input` says, until there is something else to do; listens
    /// meanwhile for a poke and for the deadline.
    pub(crate) async fn follow<S: Stream>(
        &mut self,
        mut source: Pin<&mut S>,
        input: impl Fn(&Self, Option<S::Item>) -> Input,
    ) -> Result<Next, RunError> {
        let (live, (deadline, late)) = (self.live.clone(), self.next_deadline());
        let mut interruption = pin!(interruption(&live, deadline));
        let mut came = 0_u32;
        loop {
            let happening = poll_fn(|context| {
                if came.is_multiple_of(LISTEN_EVERY)
                    && let Poll::Ready(interruption) = interruption.as_mut().poll(context)
                {
                    return Poll::Ready(interruption);
                }
                match source.as_mut().poll_next(context) {
                    Poll::Ready(item) => Poll::Ready(Happening::Came(item)),
                    Poll::Pending => interruption.as_mut().poll(context),
                }
            });
            let input = match happening.await {
                Happening::Poked => {
                    interruption.set(self::interruption(&live, deadline));
                    match self.look_again().await? {
                        Some(input) => input,
                        None => continue,
                    }
                }
                Happening::Deadline => late.clone(),
                Happening::Came(item) => input(self, item),
            };
            came = came.wrapping_add(1);
            match self.take(input).await? {
                Next::Continue => {}
                next => return Ok(next),
            }
        }
    }

    /// Hands one input to the machine and does what comes of it: store, tell.
    pub(crate) async fn take(&mut self, input: Input) -> Result<Next, RunError> {
        let mut effects = Effects::default();
        if let Some(usage) = self.call.as_mut().and_then(|call| call.hear(&input)) {
            let usage = Input::Model(ModelEvent::Usage(usage));
            self.machine.handle(usage, &self.shared.context(), &mut effects);
        }
        self.machine.handle(input, &self.shared.context(), &mut effects);
        self.account(&mut effects);
        self.settle(effects).await
    }

    /// Stores `effects`, then tells of them; gives what to do next.
    pub(crate) async fn settle(&mut self, mut effects: Effects) -> Result<Next, RunError> {
        if effects.has_changes() {
            self.commit(&mut effects).await?;
        } else if !effects.events.is_empty() && self.log.tell(&effects.events) {
            self.commit(&mut Effects::default()).await?;
        }
        Ok(effects.next)
    }

    /// Stores `effects`, and all that was told and is not stored yet; then tells of them.
    pub(crate) async fn commit(&mut self, effects: &mut Effects) -> Result<(), RunError> {
        let mut failures = 0;
        loop {
            let draft = self.log.draft(&effects.events);
            let error = match self.scope.commit(self.batch(effects, &draft)).await {
                Ok(()) => {
                    self.committed(effects, &draft);
                    return Ok(());
                }
                Err(error) => error,
            };
            if failures > 0 && !error.is_retryable() && self.was_stored(effects, &draft).await? {
                self.committed(effects, &draft);
                return Ok(());
            }
            match error {
                StoreError::Conflict { kind: Kind::Run, .. }
                | StoreError::Missing { kind: Kind::Run, .. } => {
                    if self.look_again().await?.is_some() {
                        self.machine.overtaken_by_cancel(&self.shared.context(), effects);
                        self.account(effects);
                    }
                }
                StoreError::Conflict { kind: Kind::Message, id } => self.reload_message(&id, effects).await?,
                StoreError::Missing { kind: Kind::Message, id } => self.versions.forget(&id),
                error if error.is_retryable() && failures < COMMIT_TRIES => {
                    sleep(Duration::from_millis(20 << failures)).await;
                    failures += 1;
                }
                error => return Err(error.into()),
            }
        }
    }

    /// Whether a try that seemed to fail was stored all the same: its chunk tells, or else the run.
    async fn was_stored(&self, effects: &Effects, draft: &Draft) -> Result<bool, RunError> {
        let run = self.machine.run();
        if self.log.has_unstored(draft) {
            return Ok(journal::stored(&self.scope, &run.id, draft.last).await?);
        }
        let wanted = record::put_run(run, self.machine.state(), None);
        let stored = self.scope.get(Kind::Run, run.id.as_str()).await?.filter(|_| effects.run_changed);
        Ok(stored.is_some_and(|stored| {
            stored.version == self.versions.run + 1
                && (stored.body, stored.state) == (wanted.body, wanted.state)
        }))
    }

    /// `effects` are stored.
    fn committed(&mut self, effects: &Effects, draft: &Draft) {
        self.versions.run += u64::from(effects.run_changed);
        self.versions.committed(&effects.changes);
        self.live.saw(self.versions.run);
        self.log.tell_stored(draft);
        self.tell_others(effects);
        let run = self.machine.run();
        if effects.run_changed {
            measures::run_over(&run.status, self.shared.clock.now().0.saturating_sub(run.created_at.0));
        }
    }

    /// What to commit. Either way the batch fails if the run is not as this execution saw it last.
    fn batch(&self, effects: &Effects, draft: &Draft) -> Batch {
        let run = self.machine.run();
        let batch = if effects.run_changed {
            let put = record::put_run(run, self.machine.state(), self.shared.due_at(run));
            let batch = Batch::new().put(put.expect(Expect::Version(self.versions.run)));
            let batch = match self.place().filter(|_| !self.stays_in_line()) {
                Some(place) => line::leave(batch, &run.thread_id, &place),
                None => batch,
            };
            let batch = match run.status == self.stored_status {
                true => batch,
                false => self.shared.announce(batch, self.scope.organization(), run),
            };
            self.count(effects, batch)
        } else {
            // A step that begins can begin again. What moves the run or is told to be over has to outlive the power, and
            // so have numbers: else they would be given to other events.
            let over = effects.changes.iter().any(Change::is_over);
            let lasts = over || effects.changes.is_empty() || self.log.runs_ahead(draft);
            let durability = if lasts { Durability::Synced } else { Durability::Written };
            let unchanged = Batch::new().require_version(Kind::Run, run.id.as_str(), self.versions.run);
            unchanged.durability(durability)
        };
        let batch = self.versions.put(&self.machine, &effects.changes, batch);
        self.log.store(batch, &run.id, draft)
    }

    /// Reads the run again after somebody changed it; gives an input if that stops the run.
    pub(crate) async fn look_again(&mut self) -> Result<Option<Input>, RunError> {
        let id = self.machine.run().id.clone();
        let Some((stored, document)) = record::get::<Run>(&self.scope, Kind::Run, id.as_str()).await? else {
            return Err(RunError::Lost);
        };
        if document.fence != self.live.fence() {
            return Err(RunError::Lost);
        }
        self.versions.run = document.version;
        self.live.saw(document.version);
        self.stored_status = stored.status.clone();
        // A try to leave the line may have been stored though it seemed to fail.
        self.waiting = document.decode_state::<RunState>()?.and_then(|state| state.waiting);
        // A change may have kept the worker from renewing; many in a row must not let the lease run out.
        self.shared.store.renew(&[self.live.lease(&id)], self.shared.lease_end()).await?;
        let run = self.machine.run_mut();
        run.metadata = stored.metadata;
        let stop = stored.status == RunStatus::Cancelling && !run.status.is_terminal();
        Ok(stop.then_some(Input::Cancelled))
    }

    /// Takes over what others may have changed of a message while it was written: its metadata.
    async fn reload_message(&mut self, id: &str, effects: &mut Effects) -> Result<(), RunError> {
        let Some((stored, document)) = record::get::<Message>(&self.scope, Kind::Message, id).await? else {
            self.versions.forget(id);
            return Ok(());
        };
        self.versions.saw(&document);
        if let Some(message) = self.machine.message_mut().filter(|message| message.id == stored.id) {
            message.metadata.clone_from(&stored.metadata);
        }
        effects.set_message_metadata(&stored);
        Ok(())
    }

    pub(crate) fn deadline(&self) -> Instant {
        let now = self.shared.clock.now_ms();
        let expires = self.machine.run().expires_at.map_or(i64::MAX, |at| at.0.saturating_mul(1000));
        let left = u64::try_from(expires.saturating_sub(now)).unwrap_or_default();
        // Timers reach about two years; a run that may last longer is looked at again then.
        Instant::now() + Duration::from_millis(left.min(1000 * 3600 * 24 * 365))
    }

    fn failure(&self, error: &ModelError) -> Failure {
        let run = &self.machine.run().id;
        tracing::warn!(%run, error = error as &dyn std::error::Error, "model call failed");
        let code = match error.kind() {
            ModelErrorKind::RateLimited => LastErrorCode::RateLimitExceeded,
            ModelErrorKind::InvalidRequest => LastErrorCode::InvalidPrompt,
            _ => LastErrorCode::ServerError,
        };
        // What the upstream says of a bad request is about the caller's words; the rest is the operator's matter.
        let message = match error.upstream_message().filter(|_| code == LastErrorCode::InvalidPrompt) {
            Some(message) => message.to_owned(),
            None => format!("Sorry, something went wrong: {error}."),
        };
        Failure { code, message }
    }
}
