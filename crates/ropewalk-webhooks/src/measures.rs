//! What is measured of deliveries: in numbers of its own, and with the facade of the crate `metrics`, which does nothing
//! unless the program records it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const DELIVERIES: &str = "ropewalk_webhook_deliveries_total";
const TRY_SECONDS: &str = "ropewalk_webhook_try_duration_seconds";

/// Tells the recorder of this thread or process what the metrics of this crate mean.
pub fn describe_metrics() {
    describe_counter!(
        DELIVERIES,
        "Deliveries to webhooks: delivered, tried in vain (failed), or given up (dropped)."
    );
    describe_histogram!(TRY_SECONDS, Unit::Seconds, "How long a webhook took to answer, or not to.");
}

/// What has become of deliveries since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookStats {
    /// Taken by their receivers.
    pub delivered: u64,
    /// Tries that failed.
    pub failed_tries: u64,
    /// Given up: after the last try, or because too many wait.
    pub dropped: u64,
    /// Being sent now.
    pub under_way: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Tallies {
    delivered: AtomicU64,
    failed_tries: AtomicU64,
    dropped: AtomicU64,
}

impl Tallies {
    pub(crate) fn delivered(&self, took: Duration) {
        count(&self.delivered, "delivered");
        histogram!(TRY_SECONDS).record(took);
    }

    pub(crate) fn failed(&self, took: Duration) {
        count(&self.failed_tries, "failed");
        histogram!(TRY_SECONDS).record(took);
    }

    pub(crate) fn dropped(&self) {
        count(&self.dropped, "dropped");
    }

    pub(crate) fn stats(&self, under_way: usize) -> WebhookStats {
        let read = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        WebhookStats {
            delivered: read(&self.delivered),
            failed_tries: read(&self.failed_tries),
            dropped: read(&self.dropped),
            under_way,
        }
    }
}

fn count(tally: &AtomicU64, outcome: &'static str) {
    tally.fetch_add(1, Ordering::Relaxed);
    counter!(DELIVERIES, "outcome" => outcome).increment(1);
}
