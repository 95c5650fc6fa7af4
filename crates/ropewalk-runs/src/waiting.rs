//! A run that waits for its thread, until it is its turn.

use std::time::Duration;

use ropewalk_store::StoreError;
use ropewalk_types::RunStatus;
use tokio::time::{sleep, sleep_until};

use crate::{
    Engine, RunError,
    execution::Execution,
    line::{self, Place},
    machine::{Effects, Input},
};

/// How often a run that waits looks for itself, in case that the run ahead was driven by another process.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Tries of a run that interrupts to stop those ahead, should whoever made it have failed to.
const CANCEL_TRIES: u32 = 5;

impl Execution {
    /// Whether the run stands in the line of its thread.
    pub(crate) fn waits(&self) -> bool {
        self.machine.state().waiting.is_some() && self.machine.run().status == RunStatus::Queued
    }

    /// Where the run stands in the line, as long as the store has it there.
    pub(crate) fn place(&self) -> Option<Place> {
        let rank = self.waiting?;
        Some(Place { rank, run: self.machine.run().id.clone() })
    }

    /// Whether the run keeps its place with what is stored next.
    pub(crate) fn stays_in_line(&self) -> bool {
        self.machine.state().waiting.is_some() && !self.machine.run().status.is_terminal()
    }

    /// Tells whoever has to do with the run what was just stored of it.
    pub(crate) fn tell_others(&mut self, effects: &Effects) {
        if !effects.run_changed {
            return;
        }
        if !self.stays_in_line() {
            self.waiting = None;
        }
        let run = self.machine.run();
        if self.stored_status != run.status {
            self.stored_status = run.status.clone();
            self.shared.announced();
        }
        self.shared.watchers.tell(&run.id);
        if run.status.is_terminal() {
            self.shared.lines.call(self.scope.organization(), &run.thread_id);
        }
    }

    /// Waits until the thread is the run's, or the run is over without it; gives what to hand to the machine.
    pub(crate) async fn wait_turn(&mut self) -> Result<Input, RunError> {
        let (live, lines) = (self.live.clone(), self.shared.lines.clone());
        let thread = self.machine.run().thread_id.clone();
        let Some(place) = self.place() else { return Ok(Input::Claimed) };
        let standing = lines.stand((self.scope.organization().clone(), thread.clone()), place.clone());
        let (deadline, stopping) = (self.deadline(), self.shared.stopping.clone());
        let mut cancel_tries = CANCEL_TRIES;
        loop {
            let first = line::waiting(&self.scope, &thread).await?.into_iter().next();
            if first.is_none_or(|first| first == place) && self.enter().await? {
                return Ok(Input::Claimed);
            }
            tokio::select! {
                biased;
                () = live.poke.notified() => {
                    if let Some(input) = self.look_again().await? {
                        return Ok(input);
                    }
                }
                () = sleep_until(deadline) => return Ok(Input::DeadlinePassed),
                () = stopping.cancelled() => return Err(RunError::Lost),
                () = standing.called() => {}
                () = sleep(LOOK_AGAIN) => {
                    if cancel_tries > 0 {
                        cancel_tries = if self.cancel_overtaken().await { 0 } else { cancel_tries - 1 };
                    }
                }
            }
        }
    }

    /// Waits until the run may work, or is over before that; gives what to hand to the machine.
    pub(crate) async fn enter_work(&mut self, input: Input) -> Result<Input, RunError> {
        let works = matches!(self.machine.run().status, RunStatus::Queued | RunStatus::InProgress);
        if !works || self.permit.is_some() {
            return Ok(input);
        }
        let (live, shared) = (self.live.clone(), self.shared.clone());
        let mut waiting = shared.admission.wait(self.scope.organization(), &self.machine.run().id);
        let deadline = self.deadline();
        loop {
            tokio::select! {
                biased;
                permit = waiting.permit() => {
                    self.permit = Some(permit.ok_or(RunError::Lost)?);
                    return Ok(input);
                }
                () = live.poke.notified() => {
                    if let Some(input) = self.look_again().await? {
                        return Ok(input);
                    }
                }
                () = sleep_until(deadline) => return Ok(Input::DeadlinePassed),
                () = shared.stopping.cancelled() => return Err(RunError::Lost),
            }
        }
    }

    /// Asks those to stop that the run overtakes; `false` if that has to be tried again.
    async fn cancel_overtaken(&self) -> bool {
        let (run, overtaken) = (self.machine.run(), &self.machine.state().overtakes);
        let engine = Engine { shared: self.shared.clone() };
        let asked = engine.cancel_all(&self.scope, &run.thread_id, overtaken).await;
        if let Err(error) = &asked {
            let error = error as &dyn std::error::Error;
            tracing::warn!(run = %run.id, error, "not all runs ahead were asked to stop");
        }
        asked.is_ok()
    }

    /// Takes the thread's lock and leaves the line; `false` if the lock is not free.
    async fn enter(&mut self) -> Result<bool, RunError> {
        let mut effects = Effects { run_changed: true, ..Effects::default() };
        let state = self.machine.state_mut();
        let left = (state.waiting.take(), std::mem::take(&mut state.overtakes));
        match self.commit(&mut effects).await {
            Ok(()) => Ok(true),
            Err(RunError::Store(StoreError::Locked { .. })) => {
                let state = self.machine.state_mut();
                (state.waiting, state.overtakes) = left;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
