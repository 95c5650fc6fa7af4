use std::time::Duration;

use tokio::time::Instant;

use crate::BreakerPolicy;

/// What is known of one server: a pure state machine that is told the time.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    state: State,
    /// Failures since the last whole answer.
    in_row: u32,
    /// Openings since the last whole answer.
    openings: u32,
    failed_at: Option<Instant>,
    /// Raised by every opening: what was under way before it says nothing of the server as it is now.
    epoch: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        since: Instant,
        time: Duration,
    },
    Probing {
        since: Instant,
    },
}

/// Leave to make one call.
#[derive(Debug)]
pub(super) struct Ticket {
    epoch: u64,
    since: Instant,
}

/// What became of a call, as far as it says something of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The server is there: the headers of an answer came.
    Answered,
    /// All of an answer came.
    Whole,
    /// No answer, one that says that the server is broken, or one that broke off.
    Failed,
    /// The caller went away, which says nothing.
    Dropped,
}

impl Circuit {
    /// Lets a call through, or says in how long one may be.
    pub(super) fn admit(&mut self, policy: &BreakerPolicy, now: Instant) -> Result<Ticket, Duration> {
        let (since, time, ask_again) = match self.state {
            State::Closed => return Ok(self.ticket(now)),
            State::Open { since, time } => (since, time, time),
            // When a probe comes back is not known: look again soon.
            State::Probing { since } => (since, policy.max_open, policy.time(0, 0.0)),
        };
        let left = time.saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() {
            self.state = State::Probing { since: now };
            return Ok(self.ticket(now));
        }
        Err(left.min(ask_again))
    }

    /// Learns what became of a call. Returns for how long the circuit opens, if that is what it does; `jitter` is that
    /// of [`BreakerPolicy::time`].
    pub(super) fn hear(
        &mut self,
        ticket: &Ticket,
        news: News,
        policy: &BreakerPolicy,
        now: Instant,
        jitter: f64,
    ) -> Option<Duration> {
        if ticket.epoch != self.epoch {
            return None;
        }
        match news {
            News::Whole => (self.state, self.in_row, self.openings) = (State::Closed, 0, 0),
            // The failures stay counted: until an answer is whole, the next one opens the circuit again.
            News::Answered => self.state = State::Closed,
            News::Failed => {
                let before = self.failed_at.replace(now);
                if before.is_some_and(|before| now.saturating_duration_since(before) > policy.window) {
                    (self.in_row, self.openings) = (0, 0);
                }
                self.in_row = self.in_row.saturating_add(1);
                if !self.is_closed() || self.in_row >= policy.failures {
                    let time = policy.time(self.openings, jitter);
                    self.state = State::Open { since: now, time };
                    self.openings = self.openings.saturating_add(1);
                    self.epoch += 1;
                    return Some(time);
                }
            }
            // The next call is the probe in its place.
            News::Dropped if self.state == (State::Probing { since: ticket.since }) => {
                self.state = State::Open { since: now, time: Duration::ZERO };
            }
            News::Dropped => {}
        }
        None
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn ticket(&self, now: Instant) -> Ticket {
        Ticket { epoch: self.epoch, since: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        window: Duration::from_secs(1),
        open: Duration::from_millis(100),
        max_open: Duration::from_millis(500),
    };

    /// What callers and time do to a circuit.
    #[derive(Debug, Clone)]
    enum Step {
        Call,
        /// News of the n-th call that is under way.
        News(prop::sample::Index, News),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let news = prop_oneof![
            2 => Just(News::Answered),
            1 => Just(News::Whole),
            4 => Just(News::Failed),
            2 => Just(News::Dropped),
        ];
        let step = prop_oneof![
            4 => Just(Step::Call),
            6 => (any::<prop::sample::Index>(), news).prop_map(|(which, news)| Step::News(which, news)),
            2 => (0..600_u64).prop_map(Step::Wait),
        ];
        vec(step, 0..200)
    }

    proptest! {
        /// Whatever callers do and learn: a closed circuit lets everybody through and opens only after as many
        /// failures in a row as it should; an open one lets nobody through before its time; never is there more than
        /// one probe that is waited for; and a probe is never further away than the longest time.
        #[test]
        fn one_probe_at_a_time_and_always_another_one(steps in steps(), jitter in 0.0..=1.0) {
            let mut circuit = Circuit::default();
            let mut now = Instant::now();
            let mut under_way: Vec<(Ticket, bool)> = Vec::new();
            let (mut in_row, mut failed_at, mut open_until) = (0, now, now);
            for step in steps {
                match step {
                    Step::Wait(ms) => now += Duration::from_millis(ms),
                    Step::Call => {
                        let was_closed = circuit.is_closed();
                        match circuit.admit(&POLICY, now) {
                            Ok(ticket) => {
                                prop_assert!(was_closed || now >= open_until);
                                under_way.push((ticket, !was_closed));
                            }
                            Err(wait) => {
                                prop_assert!(!was_closed, "a closed circuit refuses nobody");
                                prop_assert!(!wait.is_zero() && wait <= POLICY.max_open);
                            }
                        }
                    }
                    Step::News(which, news) if !under_way.is_empty() => {
                        let place = which.index(under_way.len());
                        let (was_closed, is_stale) =
                            (circuit.is_closed(), under_way[place].0.epoch != circuit.epoch);
                        let opened = circuit.hear(&under_way[place].0, news, &POLICY, now, jitter);
                        if news != News::Answered {
                            under_way.swap_remove(place);
                        }
                        if is_stale {
                            prop_assert!(opened.is_none() && circuit.is_closed() == was_closed);
                            continue;
                        }
                        in_row = match news {
                            News::Whole => 0,
                            News::Failed if now.duration_since(failed_at) > POLICY.window => 1,
                            News::Failed => in_row + 1,
                            _ => in_row,
                        };
                        if news == News::Failed {
                            failed_at = now;
                        }
                        prop_assert_eq!(
                            opened.is_some(),
                            news == News::Failed && (!was_closed || in_row >= POLICY.failures)
                        );
                        if let Some(time) = opened {
                            open_until = now + time;
                        }
                        prop_assert_eq!(circuit.is_closed(), match news {
                            News::Whole | News::Answered => true,
                            News::Failed => was_closed && opened.is_none(),
                            News::Dropped => was_closed,
                        });
                    }
                    Step::News(..) => {}
                }
                let probes = under_way.iter().filter(|(ticket, is_probe)| {
                    *is_probe
                        && !circuit.is_closed()
                        && ticket.epoch == circuit.epoch
                        && now.duration_since(ticket.since) < POLICY.max_open
                });
                prop_assert!(probes.count() <= 1);
            }
            prop_assert!(circuit.admit(&POLICY, now + POLICY.max_open).is_ok());
        }
    }
}
