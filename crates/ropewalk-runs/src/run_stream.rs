use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::{Stream, future::BoxFuture};
use ropewalk_events::Event;
use ropewalk_store::{Kind, Scope};
use ropewalk_types::{ErrorObject, Run, RunId, RunStatus, ThreadId};
use tokio::time::timeout;

use crate::{
    Engine, RunError,
    engine::Shared,
    event_log::{End, Found, Tail},
    journal::{self, Draft},
    record,
    seat::Seat,
};

/// How often a reader looks for itself, in case that the run is driven by another process.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// The events of a run behind number `after`, 0 for all of them: what is told already, whoever drives or drove it,
    /// and then what comes, until the run is over. Any number may read, each as slowly as it likes.
    ///
    /// Numbers rise by one from event to event, but for a jump where another process took the run over.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`], [`RunError::Store`]. What fails later is told as an `error` event, the last one.
    pub async fn events(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        run: &RunId,
        after: u64,
    ) -> Result<RunStream, RunError> {
        self.load(scope, thread, run).await?;
        let reading = Reading {
            shared: self.shared.clone(),
            scope: scope.clone(),
            thread: thread.clone(),
            run: run.clone(),
            until: Until::Over,
        };
        let place = Place::Store(Box::pin(reading.clone().look(after)));
        Ok(RunStream { reading, place, number: after, seat: None })
    }
}

/// The events of one run, as bytes for an SSE body: frames with numbers, and `done` or `error` behind the last.
///
/// Whoever polls the stream of a run that was just started drives the run: the upstream's bytes become events in the
/// reader's own task, with no channel and no other task between. Dropped early, or not polled for a second although
/// there is something to do, the run goes on in a task of its own.
pub struct RunStream {
    reading: Reading,
    place: Place,
    /// The last event that was read.
    number: u64,
    /// Where the run's driver sits, if this is its first reader.
    seat: Option<Arc<Seat>>,
}

/// What is read, and how far.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scope: Scope,
    pub(crate) thread: ThreadId,
    pub(crate) run: RunId,
    pub(crate) until: Until,
}

/// How far a stream goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until the run waits for outputs, or is over: the stream of a request that moves the run.
    Parked,
    /// Until the run is over.
    Over,
}

impl Until {
    fn is_reached(self, status: &RunStatus) -> bool {
        status.is_terminal() || (self == Self::Parked && *status == RunStatus::RequiresAction)
    }
}

/// Where a reader finds the next event.
enum Place {
    /// With the run's driver, in this process.
    Live(Tail),
    /// In the store, as soon as it is there.
    Store(BoxFuture<'static, Result<Seen, RunError>>),
    /// There is none.
    End,
}

/// What a look at the store brings.
enum Seen {
    /// Frames, and the number of the last.
    Frames(Bytes, u64),
    /// The run is driven in this process.
    Live(Tail),
    /// The reader is where it wanted to be.
    Done,
    /// The server stops: the client comes back behind what it has.
    Stopping,
}

impl RunStream {
    /// Reads along from `tail` on, with the driver in `seat`.
    pub(crate) fn new(reading: Reading, tail: Tail, seat: Arc<Seat>) -> Self {
        Self { number: tail.begin(), reading, place: Place::Live(tail), seat: Some(seat) }
    }

    fn end_with(&mut self, event: &Event) -> Poll<Option<Bytes>> {
        self.place = Place::End;
        let mut frame = Vec::new();
        event.encode(&mut frame, None);
        Poll::Ready(Some(frame.into()))
    }

    fn fail(&mut self, error: &RunError) -> Poll<Option<Bytes>> {
        let message = match error {
            RunError::NoRun(_) => "The run was deleted with its thread.",
            error => {
                let error = error as &dyn std::error::Error;
                tracing::error!(run = %self.reading.run, error, "events not read");
                "The server could not read the run's events; poll the run instead."
            }
        };
        self.end_with(&Event::Error(Box::new(ErrorObject::server(message))))
    }
}

impl Stream for RunStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        if let Some(seat) = &this.seat {
            if let Place::Live(tail) = &mut this.place {
                tail.hush();
            }
            seat.poll(context);
        }
        loop {
            let seen = match &mut this.place {
                Place::End => return Poll::Ready(None),
                Place::Live(tail) => match ready!(tail.poll(context)) {
                    Found::Frames(frames, number) => {
                        this.number = number;
                        return Poll::Ready(Some(frames));
                    }
                    Found::Nothing(End::Finished) if this.reading.until == Until::Parked => Seen::Done,
                    Found::Nothing(_) | Found::TooLate => {
                        this.place = Place::Store(Box::pin(this.reading.clone().look(this.number)));
                        continue;
                    }
                },
                Place::Store(look) => match ready!(look.as_mut().poll(context)) {
                    Ok(seen) => seen,
                    Err(error) => return this.fail(&error),
                },
            };
            match seen {
                Seen::Frames(frames, number) => {
                    this.number = number;
                    this.place = Place::Store(Box::pin(this.reading.clone().look(number)));
                    return Poll::Ready(Some(frames));
                }
                Seen::Live(tail) => this.place = Place::Live(tail),
                Seen::Done => return this.end_with(&Event::Done),
                Seen::Stopping => this.place = Place::End,
            }
        }
    }
}

impl Reading {
    /// Looks for what follows event `after`, until there is something.
    async fn look(self, after: u64) -> Result<Seen, RunError> {
        let Self { shared, scope, thread, run, until } = self;
        let watch = shared.watchers.watch(&run);
        loop {
            // Told of from here on: a change behind the looks below is not missed.
            let told = watch.as_ref().map(|watch| watch.told());
            let stored = record::get::<Run>(&scope, Kind::Run, run.as_str()).await?;
            let stored = stored.filter(|(stored, _)| stored.thread_id == thread);
            let Some((stored, _)) = stored else { return Err(RunError::NoRun(run)) };
            if let Some(tail) = shared.live.log(&run).and_then(|log| log.read(after)) {
                return Ok(Seen::Live(tail));
            }
            if let Some((frames, number)) = journal::read(&scope, &run, after).await? {
                return Ok(Seen::Frames(frames, number));
            }
            if until.is_reached(&stored.status) {
                // What follows may be gone with its thread, since the look at the run.
                let is_there = scope.get(Kind::Run, run.as_str()).await?.is_some();
                is_there.then_some(()).ok_or(RunError::NoRun(run))?;
                return Ok(match last_of_old_run(stored).filter(|_| after == 0) {
                    Some(draft) => Seen::Frames(draft.bytes.into(), draft.last),
                    None => Seen::Done,
                });
            }
            let wait = async {
                match told {
                    Some(told) => _ = timeout(LOOK_AGAIN, told).await,
                    // Too many wait to be told each.
                    None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            };
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => return Ok(Seen::Stopping),
                () = wait => {}
            }
        }
    }
}

/// The one event of a run of which none is stored, such as one that was imported: how it ended.
fn last_of_old_run(run: Run) -> Option<Draft> {
    run.status.is_terminal().then(|| Draft::new(0, &[Event::of_run(run)], false))
}

impl Drop for RunStream {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            seat.leave();
        }
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream")
            .field("run", &self.reading.run)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
