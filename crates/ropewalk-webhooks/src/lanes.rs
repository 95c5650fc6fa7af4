//! Who may be told now: a lane for each webhook, so that one that hangs holds up nobody but itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;

/// Deliveries under way at once.
pub(crate) const PLACES: usize = 64;
/// Those of them that may go to one webhook; one if its last try failed.
const WIDTH: usize = 4;
/// What a delivery is thought to take before anything is known.
const USUAL_MS: i64 = 100;
/// Bounds of the distance between two in a line.
const STEP_MS: (i64, i64) = (10, 15_000);
/// The longest that is promised ahead: what was guessed wrong is guessed again after it.
const LONGEST_LINE_MS: i64 = 60_000;
/// The longest rest of a webhook that fails and fails.
const LONGEST_REST_MS: i64 = 300_000;
/// How long a lane is kept that nobody uses.
const KEPT_MS: i64 = 600_000;

/// The lanes of all webhooks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    lanes: HashMap<String, Lane>,
    under_way: usize,
}

/// Times are Unix milliseconds.
#[derive(Debug)]
struct Lane {
    /// What the deliveries under way are about.
    objects: Vec<String>,
    /// Tries that failed since one succeeded.
    failures: u32,
    /// Nothing begins before this.
    rest_until: i64,
    /// What a delivery takes, roughly.
    takes_ms: i64,
    /// When the last of the line is to come.
    line_until: i64,
}

impl Default for Lane {
    fn default() -> Self {
        Self { objects: Vec::new(), failures: 0, rest_until: 0, takes_ms: USUAL_MS, line_until: 0 }
    }
}

/// Whether a delivery may begin.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It has a place.
    Now(Place),
    /// Soon, when a place is given back.
    Soon,
    /// Not before this time, in Unix milliseconds; always in the future.
    At(i64),
}

/// Where a delivery stands that asks for its turn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// It was told to wait before: those in line are not ahead of it.
    pub(crate) waited: bool,
    /// Another about the same object, to the same webhook, is to begin soon.
    pub(crate) behind: bool,
    /// It can be told to begin soon.
    pub(crate) patient: bool,
}

impl Lanes {
    /// How many more may begin.
    pub(crate) fn room(&self) -> usize {
        PLACES.saturating_sub(self.0.lock().under_way)
    }

    /// Says when a delivery to `endpoint` begins. What is told of one object is told one after another.
    pub(crate) fn turn(&self, endpoint: &str, object: &str, standing: Standing, now_ms: i64) -> Turn {
        let mut inner = self.0.lock();
        let room = inner.under_way < PLACES;
        let lane = inner.lanes.entry(endpoint.to_owned()).or_default();
        // A clock that was set back must not leave it waiting for the old time.
        lane.rest_until = lane.rest_until.min(now_ms.saturating_add(LONGEST_REST_MS));
        lane.line_until = lane.line_until.min(now_ms.saturating_add(LONGEST_REST_MS + LONGEST_LINE_MS));
        let width = if lane.failures == 0 { WIDTH } else { 1 };
        let awake = lane.rest_until <= now_ms && (standing.waited || lane.line_until <= now_ms);
        let free = lane.objects.len() < width && !lane.objects.iter().any(|other| other == object);
        if awake && room && free && !standing.behind {
            lane.objects.push(object.to_owned());
            inner.under_way += 1;
            let (endpoint, object) = (endpoint.to_owned(), object.to_owned());
            return Turn::Now(Place { lanes: self.clone(), endpoint, object });
        }
        if awake && standing.patient {
            return Turn::Soon;
        }
        let step = (lane.takes_ms / i64::try_from(width).unwrap_or(1)).clamp(STEP_MS.0, STEP_MS.1);
        let begins = lane.rest_until.max(now_ms);
        let at = lane.line_until.max(begins).saturating_add(step);
        lane.line_until = at.min(begins.saturating_add(LONGEST_LINE_MS));
        Turn::At(lane.line_until)
    }

    /// Forgets the lanes that nobody has used for a while.
    pub(crate) fn sweep(&self, now_ms: i64) {
        let used = |lane: &Lane| {
            !lane.objects.is_empty() || lane.rest_until.max(lane.line_until).saturating_add(KEPT_MS) > now_ms
        };
        self.0.lock().lanes.retain(|_, lane| used(lane));
    }
}

/// A delivery's place among those under way, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    lanes: Lanes,
    endpoint: String,
    object: String,
}

impl Place {
    /// Notes how long a delivery that succeeded took.
    pub(crate) fn succeeded(&self, took: Duration) {
        self.note(took, |lane| (lane.failures, lane.rest_until) = (0, 0));
    }

    /// Notes that it failed: its webhook rests for 1 s, then 2 s, 4 s, … and at least as long as it asks for; 5 minutes
    /// at most.
    pub(crate) fn failed(&self, took: Duration, asked: Option<Duration>, now_ms: i64) {
        self.note(took, |lane| {
            let rest = 1000_i64 << lane.failures.min(9);
            let rest = rest.max(milliseconds(asked.unwrap_or_default())).min(LONGEST_REST_MS);
            lane.failures = lane.failures.saturating_add(1);
            lane.rest_until = lane.rest_until.max(now_ms.saturating_add(rest));
        });
    }

    fn note(&self, took: Duration, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lanes.0.lock().lanes.get_mut(&self.endpoint) {
            lane.takes_ms = (lane.takes_ms + milliseconds(took).min(STEP_MS.1)) / 2;
            change(lane);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.lanes.0.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if let Some(lane) = inner.lanes.get_mut(&self.endpoint) {
            lane.objects.retain(|object| *object != self.object);
        }
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
