//! What finds deliveries that are due, and begins them.

use std::{collections::VecDeque, error::Error, time::Duration};

use ropewalk_store::{Batch, Claim, Kind, Lease, StoreError};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Webhooks,
    delivery::Delivery,
    lanes::{Standing, Turn},
};

/// How often the worker learns of changed webhooks, and the longest that it does not look for what is due.
const TICK: Duration = Duration::from_secs(1);
/// The shortest, so that what is about to be due is not asked for again and again.
const PAUSE: Duration = Duration::from_millis(5);
/// How long what is under way may go on when the worker is to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How much longer a claim lasts than a try may take.
const MARGIN: Duration = Duration::from_secs(15);
/// Deliveries held in memory until a place is given back, in all and for one webhook.
const HELD: usize = 256;
const HELD_OF_ONE: usize = 16;

impl Webhooks {
    /// Sends what is due until `stop`. What is under way then may go on for two seconds; what does not come to an end, here
    /// or because the process dies, is sent again half a minute later by whoever works on the store.
    ///
    /// Several processes may work on one store: each delivery is one's at a time.
    pub async fn work(&self, stop: CancellationToken) {
        let mut worker = Worker { webhooks: self, under_way: JoinSet::new(), held: VecDeque::new() };
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.learn().await;
        while !stop.is_cancelled() {
            let wait = worker.begin_due().await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn Error, "no webhook delivery could be claimed");
                TICK
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.due.notified() => {}
                Some(ended) = worker.under_way.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(error = &error as &dyn Error, "webhook delivery broke off");
                    }
                }
                () = sleep(wait) => {}
                _ = tick.tick() => self.learn().await,
            }
        }
        worker.finish().await;
    }

    async fn learn(&self) {
        self.0.lanes.sweep(self.0.clock.now_ms());
        if let Err(error) = self.refresh().await {
            tracing::warn!(error = &error as &dyn Error, "webhooks could not be read");
        }
    }
}

struct Worker<'a> {
    webhooks: &'a Webhooks,
    under_way: JoinSet<()>,
    /// What begins when a place is given back, in the order in which it fell due.
    held: VecDeque<Delivery>,
}

impl Worker<'_> {
    /// Begins all that is due and has room; gives how long to wait before the next look.
    async fn begin_due(&mut self) -> Result<Duration, StoreError> {
        for delivery in std::mem::take(&mut self.held) {
            self.begin(delivery, true).await;
        }
        let inner = &self.webhooks.0;
        loop {
            let Some(next) = inner.store.next_due(Kind::WebhookDelivery).await? else { return Ok(TICK) };
            let now = inner.clock.now_ms();
            if let Ok(wait @ 1..) = u64::try_from(next.saturating_sub(now)) {
                return Ok(Duration::from_millis(wait).clamp(PAUSE, TICK));
            }
            let room = inner.lanes.room();
            if room == 0 {
                return Ok(TICK);
            }
            for claim in inner.store.claim(Kind::WebhookDelivery, now, self.lease_end(), room).await? {
                match claim.document.decode_state() {
                    Ok(state) => {
                        self.begin(Delivery { claim, state: state.unwrap_or_default() }, false).await
                    }
                    Err(error) => discard(claim, &error).await,
                }
            }
        }
    }

    /// Begins a delivery, or holds it, or has it come again later.
    async fn begin(&mut self, delivery: Delivery, held: bool) {
        let (webhooks, now) = (self.webhooks, self.webhooks.0.clock.now_ms());
        let standing = self.standing(&delivery, held);
        match webhooks.0.lanes.turn(delivery.endpoint(), &delivery.state.object, standing, now) {
            // Held for long, it may have become another worker's.
            Turn::Now(_) if held && !self.renew(delivery.claim.lease(), self.lease_end()).await => {}
            Turn::Now(place) => {
                let webhooks = webhooks.clone();
                self.under_way.spawn(async move { webhooks.send(delivery, place).await });
            }
            Turn::Soon => self.held.push_back(delivery),
            // Where this fails, the lease ends later than that.
            Turn::At(at) if delivery.state.waits => drop(self.renew(delivery.claim.lease(), at).await),
            Turn::At(at) => webhooks.wait(&delivery, delivery.state.clone(), at).await,
        }
    }

    fn standing(&self, delivery: &Delivery, held: bool) -> Standing {
        let same = |held: &&Delivery| held.endpoint() == delivery.endpoint();
        let held_of_one = self.held.iter().filter(same);
        Standing {
            waited: held || delivery.state.waits,
            behind: held_of_one.clone().any(|held| held.state.object == delivery.state.object),
            patient: self.held.len() < HELD && held_of_one.count() < HELD_OF_ONE,
        }
    }

    fn lease_end(&self) -> i64 {
        self.webhooks.later(self.webhooks.0.options.timeout.saturating_add(MARGIN))
    }

    /// Moves the end of a lease; `false` if it is not ours any more, or nobody can tell.
    async fn renew(&self, lease: Lease, until: i64) -> bool {
        match self.webhooks.0.store.renew(&[lease], until).await {
            Ok(ours) => ours == [true],
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "webhook delivery not claimed any longer");
                false
            }
        }
    }

    /// Lets what is under way come to its end, for a while; the rest is due for whoever works next.
    async fn finish(mut self) {
        let leases: Vec<Lease> = self.held.iter().map(|delivery| delivery.claim.lease()).collect();
        if let Err(error) = self.webhooks.0.store.renew(&leases, self.webhooks.0.clock.now_ms()).await {
            tracing::warn!(error = &error as &dyn Error, "webhook deliveries not given back");
        }
        let all = async { while self.under_way.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tracing::info!(
                deliveries = self.under_way.len(),
                "webhook deliveries are left to the next start"
            );
        }
    }
}

/// Removes what nobody can read: it would fall due for ever.
async fn discard(Claim { scope, document }: Claim, error: &StoreError) {
    tracing::error!(delivery = document.id, error = error as &dyn Error, "webhook delivery dropped");
    let batch = Batch::new()
        .require_version(document.kind, &*document.id, document.version)
        .delete(document.kind, &*document.id);
    if let Err(error) = scope.commit(batch).await {
        tracing::warn!(error = &error as &dyn Error, "webhook delivery not removed");
    }
}
