//! One delivery from its claim to what becomes of it.

use std::{error::Error, time::Duration};

use ropewalk_store::{Batch, Durability, StoreError};
use tokio::time::Instant;

use crate::{
    Endpoint, EndpointError, SigningSecret, Webhooks,
    delivery::{Delivery, DeliveryState, waiting},
    lanes::Place,
    post::{Failure, Outcome, Signature},
    schedule::delay,
};

impl Webhooks {
    /// Tries a delivery once, and settles it.
    pub(crate) async fn send(&self, delivery: Delivery, place: Place) {
        let (id, began) = (delivery.message(), Instant::now());
        let webhook = delivery.endpoint();
        let endpoint = match self.0.endpoints.find(webhook).await {
            Ok(found) => found.filter(|(endpoint, _)| is_for(endpoint, &delivery)),
            Err(error) => {
                // It falls due again when its lease ends.
                tracing::error!(webhook, error = &error as &dyn Error, "webhook cannot be read");
                return;
            }
        };
        let Some((endpoint, secret)) = endpoint else {
            tracing::debug!(webhook, id, "webhook is off or gone: delivery dropped");
            place.succeeded(began.elapsed());
            return self.remove(&delivery).await;
        };
        match self.post(&endpoint, &secret, &delivery).await {
            Outcome::Delivered => {
                tracing::debug!(webhook, id, "webhook told");
                self.0.tallies.delivered(began.elapsed());
                place.succeeded(began.elapsed());
                self.remove(&delivery).await;
            }
            Outcome::Gone => {
                tracing::warn!(webhook, "webhook answered 410 Gone: it is switched off");
                place.succeeded(began.elapsed());
                match self.0.endpoints.set_enabled(webhook, false).await {
                    Ok(_) | Err(EndpointError::Unknown(_)) => self.remove(&delivery).await,
                    // It is asked again when the lease ends.
                    Err(error) => {
                        tracing::error!(webhook, error = &error as &dyn Error, "webhook not switched off");
                    }
                }
            }
            Outcome::Failed(failure, retry_after) => {
                self.0.tallies.failed(began.elapsed());
                place.failed(began.elapsed(), retry_after, self.0.clock.now_ms());
                self.failed(&delivery, &failure, retry_after).await;
            }
        }
    }

    /// Plans the next try, if there is one.
    async fn failed(&self, delivery: &Delivery, failure: &Failure, retry_after: Option<Duration>) {
        let (webhook, id, mut state) = (delivery.endpoint(), delivery.message(), delivery.state.clone());
        state.failed = state.failed.saturating_add(1);
        let tries = state.failed;
        match delay(tries, retry_after) {
            Some(delay) => {
                tracing::warn!(webhook, id, tries, error = failure as &dyn Error, "webhook not told yet");
                self.wait(delivery, state, self.later(delay)).await;
            }
            None => {
                tracing::error!(
                    webhook,
                    id,
                    tries,
                    error = failure as &dyn Error,
                    "webhook not told: given up"
                );
                self.0.tallies.dropped();
                self.remove(delivery).await;
            }
        }
    }

    async fn post(&self, endpoint: &Endpoint, secret: &SigningSecret, delivery: &Delivery) -> Outcome {
        let (id, timestamp) = (delivery.message(), self.0.clock.now().0);
        let body = delivery.claim.document.body.clone();
        let signature = Signature { id, timestamp, signature: secret.sign(id, timestamp, &body) };
        self.0.post.send(&endpoint.url, &signature, body).await
    }

    /// Lets a delivery wait until `due_at`; drops it if too many do.
    pub(crate) async fn wait(&self, delivery: &Delivery, mut state: DeliveryState, due_at: i64) {
        let waited = std::mem::replace(&mut state.waits, true);
        let mut batch = Batch::new().put(delivery.put(&state, due_at));
        if !waited {
            let waiting = waiting(delivery.endpoint());
            batch = batch.add(&*waiting, 1).require_at_most(waiting, self.0.options.max_waiting.into());
        }
        match self.commit(delivery, batch).await {
            Err(StoreError::OverLimit { .. }) => {
                let (webhook, id) = (delivery.endpoint(), delivery.message());
                tracing::error!(webhook, id, "webhook not told: too many deliveries wait for it");
                self.0.tallies.dropped();
                self.remove(delivery).await;
            }
            settled => log(delivery, settled),
        }
    }

    async fn remove(&self, delivery: &Delivery) {
        let document = &delivery.claim.document;
        let mut batch = Batch::new()
            .require_version(document.kind, &*document.id, document.version)
            .delete(document.kind, &*document.id);
        if delivery.state.waits {
            batch = batch.add(waiting(delivery.endpoint()), -1);
        }
        log(delivery, self.commit(delivery, batch).await);
    }

    async fn commit(&self, delivery: &Delivery, batch: Batch) -> Result<(), StoreError> {
        // What a loss of power undoes is sent again, which receivers must bear anyway.
        delivery.claim.scope.commit(batch.durability(Durability::Written)).await
    }
}

/// Whether the webhook is to be told of this at all: nothing of one organisation is told to another.
fn is_for(endpoint: &Endpoint, delivery: &Delivery) -> bool {
    endpoint.enabled && endpoint.organization == delivery.claim.scope.organization().as_str()
}

/// What could not be settled falls due again when its lease ends.
fn log(delivery: &Delivery, settled: Result<(), StoreError>) {
    let id = delivery.message();
    match settled {
        Ok(()) => {}
        Err(error) if error.is_overtaken() => tracing::debug!(id, "webhook delivery is another worker's now"),
        Err(error) => tracing::warn!(id, error = &error as &dyn Error, "webhook delivery not settled"),
    }
}
