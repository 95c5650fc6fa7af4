//! What an engine does besides the runs that requests bring: it takes over runs whose worker died, ends those
//! whose time is over, keeps its own leases, and relieves readers that stopped reading.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use ropewalk_store::{Batch, Claim, Expect, Kind, StoreError};
use ropewalk_types::{Run, RunStatus};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, RunError,
    engine::Launch,
    event_log::EventLog,
    journal::{self, MOST_UNSTORED},
    machine::{Input, Next},
    measures, record,
};

/// How often the worker looks for due runs.
const TICK: Duration = Duration::from_millis(250);
/// How long a reader may let its run wait before that goes on without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Runs taken over in one go.
const CLAIMS: usize = 64;
/// Of those, so many at the same time: each reads what is stored of it first.
const TAKEN_OVER_AT_ONCE: usize = 8;

impl Engine {
    /// Works until `stop`. An engine without a worker still runs what requests bring, but nobody would end
    /// a run that waits for outputs past its deadline, or go on with the runs of a process that died.
    pub async fn work(&self, stop: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed_at = Instant::now();
        // When the leases of its own runs end at the earliest.
        let mut held_until = self.shared.lease_end();
        let mut is_failing = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.shared.due.notified() => {}
                _ = tick.tick() => {}
            }
            for (_, live) in self.shared.live.all() {
                live.seat().inspect(|seat| seat.relieve(PATIENCE));
            }
            let mut done = Ok(());
            let oldest = [self.shared.admission.oldest(), self.shared.lines.oldest()];
            measures::queue_age(oldest.into_iter().flatten().min());
            if renewed_at.elapsed() >= self.shared.options.lease / 4 {
                let until = self.shared.lease_end();
                done = self.renew_leases().await;
                if done.is_ok() {
                    (renewed_at, held_until) = (Instant::now(), until);
                }
            }
            // Not before its own leases are renewed: what is due after a time without room on the disk may be its own.
            if done.is_ok() && !self.shared.stopping.is_cancelled() {
                done = self.take_over_due_runs(held_until).await;
            }
            match (done, is_failing) {
                (Err(error), false) => {
                    is_failing = true;
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "no lease can be taken or renewed; tried on without a word");
                }
                (Ok(()), true) => {
                    is_failing = false;
                    tracing::info!("leases can be taken and renewed again");
                }
                _ => {}
            }
        }
    }

    async fn renew_leases(&self) -> Result<(), StoreError> {
        let (lives, leases): (Vec<_>, Vec<_>) = self.shared.live.leases().into_iter().unzip();
        if !leases.is_empty() {
            let held = self.shared.store.renew(&leases, self.shared.lease_end()).await?;
            // Whoever lost a lease, or has a change to look at, finds out which from the store.
            let changed = lives.iter().zip(held).filter(|(_, held)| !held);
            changed.for_each(|(live, _)| live.poke.notify_one());
        }
        Ok(())
    }

    /// Takes over some of the runs that are due, but none that this engine may still hold: where a store or a machine is so
    /// busy that renewing took longer than a lease, what was due before that is somebody else's.
    async fn take_over_due_runs(&self, held_until: i64) -> Result<(), StoreError> {
        let due = self.shared.clock.now_ms().min(held_until.saturating_sub(1));
        let claims = self.shared.store.claim(Kind::Run, due, self.shared.lease_end(), CLAIMS).await?;
        if claims.len() == CLAIMS {
            // There may be more. Between many, leases have to be renewed.
            self.shared.due.notify_one();
        }
        let taken_over = stream::iter(claims).for_each_concurrent(TAKEN_OVER_AT_ONCE, async |claim| {
            let run = claim.document.id.clone();
            if let Err(error) = self.take_over(claim).await {
                tracing::error!(%run, error = &error as &dyn std::error::Error, "run not taken over");
            }
        });
        taken_over.await;
        Ok(())
    }

    async fn take_over(&self, claim: Claim) -> Result<(), RunError> {
        let Claim { scope, document } = claim;
        let run: Run = document.decode().map_err(RunError::Store)?;
        let late = run.expires_at.is_some_and(|at| at <= self.shared.clock.now());
        let input = match run.status {
            RunStatus::Cancelling => Input::Recovered,
            _ if late => Input::DeadlinePassed,
            _ => Input::Recovered,
        };
        tracing::info!(run = %run.id, status = %run.status, late, "run taken over");
        measures::taken_over(&input, &run.status);
        let (mut machine, versions) = record::restore(&scope, &document).await?;
        if run.status.is_terminal() || (run.status == RunStatus::RequiresAction && !late) {
            // Nobody has to do anything, or whoever had come to end it is gone, and the clock was set back since: it
            // waits on.
            let put = record::put_run(&run, machine.state(), self.shared.due_at(&run));
            let as_claimed = put.expect(Expect::Version(document.version));
            return Ok(scope.commit(Batch::new().put(as_claimed)).await?);
        }
        if machine.state().driven && !machine.state().answering {
            match journal::sum(&scope, &run.id).await {
                Ok(told) => machine.recall(&told),
                // The text of an answer that was cut off is worth less than a run that ends.
                Err(error @ StoreError::Corrupt { .. }) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(run = %run.id, error, "what was told of a run cannot be read; it goes on without");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let stored = journal::last(&scope, &run.id).await?;
        // Numbers of deltas that were told and never stored are not given to other events.
        let told = if machine.state().driven { stored + MOST_UNSTORED } else { stored };
        self.launch(Launch {
            scope,
            machine,
            versions,
            fence: document.fence,
            first: Some(input),
            next: Next::Continue,
            log: EventLog::new(stored, told, &[]),
            tail: None,
            permit: None,
        });
        Ok(())
    }
}
