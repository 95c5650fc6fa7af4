//! One run being driven: a short loop around the machine.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_core::Stream;
use futures_util::{FutureExt, TryStreamExt, stream};
use ropewalk_model::{ModelError, ModelErrorKind, ModelEvent};
use ropewalk_store::{Batch, Durability, Expect, Kind, Scope, StoreError};
use ropewalk_types::{LastErrorCode, Message, Run, RunStatus};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    RunError,
    conversation::model_request,
    engine::Shared,
    feed::Feed,
    live::Live,
    machine::{Effects, Failure, Input, Machine, Next},
    record::{self, Versions},
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
    pub(crate) feed: Arc<Feed>,
}

/// Events of the model after which a poke or the deadline is looked for, though the model says more. While it
/// speaks, nothing else costs anything.
const LISTEN_EVERY: u32 = 64;

/// What a run waits for during a model call.
enum Happening {
    Poked,
    Deadline,
    Model(Option<Result<ModelEvent, ModelError>>),
}

async fn interruption(live: &Live, deadline: Instant) -> Happening {
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
        let driven = AssertUnwindSafe(self.drive_to_end(input, next)).catch_unwind().await;
        let driven = match driven {
            Ok(driven) => driven,
            // A model is foreign code. A run that it breaks has failed, and is nobody else's to try.
            Err(_) => {
                self.take(Input::ModelFailed(Failure::server("Sorry, something went wrong."))).await.map(drop)
            }
        };
        match driven {
            Ok(()) => self.feed.finish(),
            Err(RunError::Lost) => {
                self.feed.fail("This run is driven elsewhere, or its thread was deleted; poll it instead.");
            }
            Err(error) => {
                let run = &self.machine.run().id;
                tracing::error!(%run, error = &error as &dyn std::error::Error, "run left to the next worker");
                self.feed.fail("The server could not store the run's progress; poll the run instead.");
            }
        }
        self.shared.live.remove(&self.machine.run().id, &self.live);
    }

    async fn drive_to_end(&mut self, input: Option<Input>, mut next: Next) -> Result<(), RunError> {
        if let Some(input) = input {
            next = self.take(input).await?;
        }
        while next == Next::CallModel {
            next = self.turn().await?;
        }
        Ok(())
    }

    /// One model call, to its end.
    async fn turn(&mut self) -> Result<Next, RunError> {
        let messages = record::history(&self.scope, &self.machine.run().thread_id).await?;
        let request =
            model_request(self.machine.run(), self.machine.steps(), &messages, self.machine.state().usage);
        drop(messages);
        let model = self.shared.model.clone();
        let mut events = pin!(stream::once(async { model.stream(&request).await }).try_flatten());
        let (live, deadline) = (self.live.clone(), self.deadline());
        let mut interruption = pin!(interruption(&live, deadline));
        let mut said = 0_u32;
        loop {
            let happening = poll_fn(|context| {
                if said.is_multiple_of(LISTEN_EVERY)
                    && let Poll::Ready(interruption) = interruption.as_mut().poll(context)
                {
                    return Poll::Ready(interruption);
                }
                match events.as_mut().poll_next(context) {
                    Poll::Ready(event) => Poll::Ready(Happening::Model(event)),
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
                Happening::Deadline => Input::DeadlinePassed,
                Happening::Model(Some(Ok(event))) => Input::Model(event),
                Happening::Model(Some(Err(error))) => Input::ModelFailed(self.failure(&error)),
                Happening::Model(None) => Input::ModelEnded,
            };
            said = said.wrapping_add(1);
            match self.take(input).await? {
                Next::Continue => {}
                next => return Ok(next),
            }
        }
    }

    /// Hands one input to the machine and does what comes of it: store, tell.
    async fn take(&mut self, input: Input) -> Result<Next, RunError> {
        let mut effects = Effects::default();
        self.machine.handle(input, &self.shared.context(), &mut effects);
        if effects.has_changes() {
            self.commit(&mut effects).await?;
        }
        if self.feed.send(&effects.events) {
            self.feed.room().await;
        }
        Ok(effects.next)
    }

    async fn commit(&mut self, effects: &mut Effects) -> Result<(), RunError> {
        let mut failures = 0;
        loop {
            let error = match self.scope.commit(self.batch(effects)).await {
                Ok(()) => {
                    self.versions.run += u64::from(effects.run_changed);
                    self.versions.committed(&effects.changes);
                    self.live.saw(self.versions.run);
                    return Ok(());
                }
                Err(error) => error,
            };
            match error {
                StoreError::Conflict { kind: Kind::Run, .. }
                | StoreError::Missing { kind: Kind::Run, .. } => {
                    if self.look_again().await?.is_some() {
                        self.machine.overtaken_by_cancel(&self.shared.context(), effects);
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

    /// What to commit. Either way the batch fails if the run is not as this execution saw it last.
    fn batch(&self, effects: &Effects) -> Batch {
        let run = self.machine.run();
        let batch = if effects.run_changed {
            let put = record::put_run(run, self.machine.state(), self.shared.due_at(run));
            Batch::new().put(put.expect(Expect::Version(self.versions.run)))
        } else {
            // A step that begins can begin again; only what moves the run has to outlive the power.
            let unchanged = Batch::new().require_version(Kind::Run, run.id.as_str(), self.versions.run);
            unchanged.durability(Durability::Written)
        };
        self.versions.put(&effects.changes, batch)
    }

    /// Reads the run again after somebody changed it; gives an input if that stops the run.
    async fn look_again(&mut self) -> Result<Option<Input>, RunError> {
        let id = self.machine.run().id.clone();
        let Some((stored, document)) = record::get::<Run>(&self.scope, Kind::Run, id.as_str()).await? else {
            return Err(RunError::Lost);
        };
        if document.fence != self.live.fence() {
            return Err(RunError::Lost);
        }
        self.versions.run = document.version;
        self.live.saw(document.version);
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

    fn deadline(&self) -> Instant {
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
