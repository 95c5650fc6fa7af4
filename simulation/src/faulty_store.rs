//! The store as one process sees it.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use ropewalk_store::{
    Backend, Batch, Document, DocumentPage, Kind, Lease, ListRequest, Organization, StoreError,
};

use crate::{disk, process::Process, world::World};

/// How long the store takes when it is slow.
pub(crate) const SLOWEST_ANSWER: Duration = Duration::from_secs(6);

/// What becomes of a call.
enum Fate {
    Done,
    Refused(StoreError),
    /// It is done, and the caller is told that it failed.
    Unanswered,
}

#[derive(Debug)]
pub(crate) struct FaultyStore(pub(crate) Arc<Process>);

impl FaultyStore {
    fn world(&self) -> &World {
        &self.0.world
    }

    async fn call<T>(
        &self,
        name: impl Fn() -> String,
        writes: bool,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (process, world) = (&self.0, self.world());
        process.passes(|| format!("before {}", name())).await;
        let power_losses = world.power_losses();
        let fate = self.fate(writes);
        let took = self.time();
        let before = world.random.ms(0..u64::try_from(took.as_millis()).unwrap_or_default() + 1);
        if !before.is_zero() {
            tokio::time::sleep(before).await;
        }
        // What was on its way when the process died may arrive or not.
        let may_arrive = world.power_losses() == power_losses
            && (world.weather.processes > 1 || world.living().is_empty());
        let arrives = writes && may_arrive && world.random.permille(500);
        if !process.is_alive() && !arrives {
            process.lives().await;
        }
        let done = match fate {
            Fate::Refused(error) => Err(error),
            Fate::Done => work(),
            Fate::Unanswered => work().and_then(|_| Err(failed())),
        };
        world.say(|| {
            let outcome = done.as_ref().err().map(|error| format!(" -> {error}")).unwrap_or_default();
            format!("{process:?} {}{outcome}", name())
        });
        process.passes(|| format!("after {}", name())).await;
        process.takes(took - before).await;
        done
    }

    fn fate(&self, writes: bool) -> Fate {
        let world = self.world();
        if world.strikes(world.weather.store_busy) {
            Fate::Refused(if world.random.permille(500) { StoreError::Busy } else { failed() })
        } else if world.strikes(world.weather.store_broken) {
            Fate::Refused(StoreError::NoSpace("the disk is full".into()))
        } else if writes && world.strikes(world.weather.store_lost_answer) {
            Fate::Unanswered
        } else {
            Fate::Done
        }
    }

    fn time(&self) -> Duration {
        let world = self.world();
        if world.is_calm() || world.weather.store_ms + world.weather.store_slow == 0 {
            Duration::ZERO
        } else if world.strikes(world.weather.store_slow) {
            world.random.ms(500..SLOWEST_ANSWER.as_millis() as u64)
        } else {
            world.random.ms(0..world.weather.store_ms + 1)
        }
    }
}

fn failed() -> StoreError {
    StoreError::Backend("simulated", io::Error::other("the disk did not answer").into())
}

#[async_trait]
impl Backend for FaultyStore {
    async fn get(&self, org: &Organization, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        let tables = || self.world().disk.tables();
        self.call(|| format!("get {id}"), false, || disk::now(tables().get(org, kind, id))).await
    }

    async fn list(&self, org: &Organization, request: &ListRequest) -> Result<DocumentPage, StoreError> {
        let name = || format!("list {} of {}", request.kind, request.parent.as_deref().unwrap_or("all"));
        self.call(name, false, || disk::now(self.world().disk.tables().list(org, request))).await
    }

    async fn counters(
        &self,
        org: &Organization,
        prefix: &str,
        limit: usize,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let name = || format!("counters {prefix}");
        self.call(name, false, || disk::now(self.world().disk.tables().counters(org, prefix, limit))).await
    }

    async fn commit(&self, org: &Organization, batch: Batch) -> Result<(), StoreError> {
        self.world().ledger.lock().tried(&self.0, &batch);
        let work = || {
            self.world().disk.commit(org, &batch)?;
            self.world().ledger.lock().committed(&self.0, &batch);
            Ok(())
        };
        self.call(|| format!("commit {}", disk::in_words(&batch)), true, work).await
    }

    async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError> {
        if kind != Kind::Run || self.world().disk.next_due(kind).is_none_or(|due| due > now_ms) {
            // Workers look four times a second, and mostly for nothing: a world of that would be long to tell.
            self.0.lives().await;
            return Ok(Vec::new());
        }
        let work = || {
            let claimed = self.world().disk.claim(kind, now_ms, lease_until_ms, limit)?;
            self.world().ledger.lock().claimed(&self.0, &claimed);
            Ok(claimed)
        };
        self.call(|| format!("claim {kind}"), true, work).await
    }

    async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        let name = || {
            let leases: Vec<_> =
                leases.iter().map(|lease| format!("{} v{}", lease.id, lease.version)).collect();
            format!("renew {}", leases.join(", "))
        };
        self.call(name, true, || self.world().disk.renew(leases, until_ms)).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError> {
        self.call(|| format!("next due {kind}"), false, || Ok(self.world().disk.next_due(kind))).await
    }
}
