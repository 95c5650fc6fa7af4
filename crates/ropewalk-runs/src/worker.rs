//! What an engine does besides the runs that requests bring: it takes over runs whose worker died, ends those
//! whose time is over, keeps its own leases, and relieves readers that stopped reading.

use std::time::Duration;

use ropewalk_store::{Claim, Kind};
use ropewalk_types::{Run, RunStatus};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, RunError,
    engine::Launch,
    machine::{Input, Next},
    record,
};

/// How often the worker looks for due runs.
const TICK: Duration = Duration::from_millis(250);
/// How long a reader may let its run wait before that goes on without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Runs taken over in one go.
const CLAIMS: usize = 64;

impl Engine {
    /// Works until `stop`. An engine without a worker still runs what requests bring, but nobody would end
    /// a run that waits for outputs past its deadline, or go on with the runs of a process that died.
    pub async fn work(&self, stop: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed_at = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.due.notified() => {}
                _ = tick.tick() => {}
            }
            for (_, live) in self.shared.live.all() {
                live.seat().inspect(|seat| seat.relieve(PATIENCE));
            }
            if renewed_at.elapsed() >= self.shared.options.lease / 4 {
                renewed_at = Instant::now();
                self.renew_leases().await;
            }
            self.take_over_due_runs().await;
        }
    }

    async fn renew_leases(&self) {
        let (lives, leases): (Vec<_>, Vec<_>) = self.shared.live.leases().into_iter().unzip();
        if leases.is_empty() {
            return;
        }
        match self.shared.store.renew(&leases, self.shared.lease_end()).await {
            Ok(held) => {
                // Whoever lost a lease, or has a change to look at, finds out which from the store.
                let changed = lives.iter().zip(held).filter(|(_, held)| !held);
                changed.for_each(|(live, _)| live.poke.notify_one());
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "leases were not renewed");
            }
        }
    }

    async fn take_over_due_runs(&self) {
        loop {
            let now = self.shared.clock.now_ms();
            let claims = match self.shared.store.claim(Kind::Run, now, self.shared.lease_end(), CLAIMS).await
            {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no run could be claimed");
                    return;
                }
            };
            let last = claims.len() < CLAIMS;
            for claim in claims {
                let run = claim.document.id.clone();
                if let Err(error) = self.take_over(claim).await {
                    tracing::error!(%run, error = &error as &dyn std::error::Error, "run not taken over");
                }
            }
            if last {
                return;
            }
        }
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
        let (machine, versions) = record::restore(&scope, &document).await?;
        self.launch(Launch {
            scope,
            machine,
            versions,
            fence: document.fence,
            first: Some(input),
            next: Next::Continue,
            stream: None,
            include: Vec::new(),
        });
        Ok(())
    }
}
