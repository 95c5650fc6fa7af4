//! How runs and messages come to a thread, busy or not.

use std::time::Duration;

use bytes::Bytes;
use ropewalk_events::Event;
use ropewalk_store::{Batch, Expect, Kind, Scope, StoreError};
use ropewalk_types::{Message, RunId, ThreadId};
use tokio::time::Instant;

use crate::{
    BusyPolicy, Engine, NewRun, RunError, Started,
    engine::Launch,
    event_log::EventLog,
    history::MessageState,
    line::{self, Place, Rank},
    machine::{Effects, Input, Machine, RunState, ServerCalls},
    measures,
    record::{self, Versions},
};

/// How long a message that interrupts waits for the runs that it cancelled, all of them together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom a run or a message has to wait for.
#[derive(Debug, Default)]
struct Ahead {
    /// It holds the thread.
    active: Option<RunId>,
    /// They wait for it, in the order of their turns.
    waiting: Vec<Place>,
}

impl Ahead {
    /// Those ahead of what joins with this rank.
    fn runs(&self, rank: Rank) -> Vec<RunId> {
        let waiting = self.waiting.iter().filter(|place| place.rank <= rank).map(|place| &place.run);
        self.active.iter().chain(waiting).cloned().collect()
    }
}

impl Engine {
    /// Makes a run and begins it, or lets it wait `queued` if its thread is busy and `new` says so.
    ///
    /// # Errors
    ///
    /// [`RunError::NoThread`], [`RunError::ThreadBusy`], [`RunError::LineFull`], [`RunError::Store`]; nothing was
    /// stored then.
    pub async fn create(&self, scope: &Scope, new: NewRun) -> Result<Started, RunError> {
        let rank = match new.busy {
            BusyPolicy::Reject => return self.try_create(scope, new, None).await,
            BusyPolicy::Queue => Rank::Last,
            BusyPolicy::Interrupt => Rank::First,
        };
        let active = match self.try_create(scope, new.clone(), None).await {
            Err(RunError::ThreadBusy { run, .. }) => RunId::new(run),
            done => return done,
        };
        let thread = new.run.thread_id.clone();
        let ahead = self.ahead(scope, &thread, active).await?;
        let overtaken = ahead.runs(rank);
        let started = self.try_create(scope, new, Some((rank, overtaken.clone()))).await?;
        if rank == Rank::First
            && let Err(error) = self.cancel_all(scope, &thread, &overtaken).await
        {
            // The run is stored: told of an error, its caller would make another. It asks again while it waits.
            let (run, error) = (&started.run.id, &error as &dyn std::error::Error);
            tracing::error!(%run, error, "not all runs ahead were asked to stop");
        }
        Ok(started)
    }

    /// Adds a message to its thread, together with what is to be stored `also`; gives its wire form. If the thread is busy,
    /// `busy` says what happens: a message that is queued is stored at once, and shown to the runs that come behind
    /// those which are not over.
    ///
    /// # Errors
    ///
    /// [`RunError::NoThread`], [`RunError::ThreadBusy`], [`RunError::Store`]; nothing was stored then.
    pub async fn add_message(
        &self,
        scope: &Scope,
        message: &Message,
        busy: BusyPolicy,
        also: Batch,
    ) -> Result<Bytes, RunError> {
        let thread = &message.thread_id;
        let put = record::put_message(message).expect(Expect::Absent);
        let json = put.body.clone();
        let on_thread = || {
            let mut batch = Batch::new().require(Kind::Thread, thread.as_str());
            batch.operations.extend(also.operations.iter().cloned());
            batch
        };
        let free = || {
            let batch = on_thread().require_unlocked(record::thread_lock(thread)).put(put.clone());
            line::require_empty(batch, thread)
        };
        let busy_with = match self.commit_on(scope, thread, free()).await {
            Err(RunError::ThreadBusy { run, .. }) if busy != BusyPolicy::Reject => RunId::new(run),
            done => return done.map(|()| json),
        };
        let mut ahead = self.ahead(scope, thread, busy_with).await?;
        if busy == BusyPolicy::Interrupt {
            let overtaken = ahead.runs(Rank::First);
            self.cancel_all(scope, thread, &overtaken).await?;
            let deadline = Instant::now() + PATIENCE;
            for run in &overtaken {
                self.over(scope, thread, run, deadline).await?;
            }
            match self.commit_on(scope, thread, free()).await {
                // Others wait, or the run takes its time to stop: it is stored all the same.
                Err(RunError::ThreadBusy { run, .. }) => {
                    ahead = self.ahead(scope, thread, RunId::new(run)).await?;
                }
                done => return done.map(|()| json),
            }
        }
        let state = MessageState { behind: ahead.runs(Rank::Last) };
        self.commit_on(scope, thread, on_thread().put(put.state(record::wire(&state)))).await?;
        Ok(json)
    }

    /// Makes a run and begins it: at once, or behind those ahead of it.
    async fn try_create(
        &self,
        scope: &Scope,
        new: NewRun,
        wait: Option<(Rank, Vec<RunId>)>,
    ) -> Result<Started, RunError> {
        let NewRun { run, thread, messages, stream, include, key, key_budget, traceparent, also, .. } = new;
        let (rank, behind) = wait.unzip();
        let thread_id = run.thread_id.clone();
        let place = rank.map(|rank| Place { rank, run: run.id.clone() });
        let overtakes = behind.clone().filter(|_| rank == Some(Rank::First)).unwrap_or_default();
        let state =
            RunState { key, key_budget, traceparent, waiting: rank, overtakes, ..RunState::default() };
        let mut machine = Machine::restore(run, Vec::new(), ServerCalls::new(), None, state);
        let permit = if stream && place.is_none() { self.shared.admission.try_enter() } else { None };
        let standing = self.shared.lines.standing(scope.organization());
        if permit.is_none() && self.shared.admission.is_full(scope.organization(), standing, place.is_some())
        {
            measures::rejected();
            return Err(RunError::Overloaded);
        }
        let mut effects = Effects::default();
        let mut batch = match &thread {
            None => Batch::new().require(Kind::Thread, thread_id.as_str()),
            Some(thread) => {
                effects.events.push(Event::ThreadCreated(Box::new(thread.clone())));
                Batch::new().put(record::put_thread(thread).expect(Expect::Absent))
            }
        };
        batch.operations.extend(also.operations);
        machine.handle(Input::Created, &self.shared.context(), &mut effects);
        if permit.is_some() {
            machine.handle(Input::Claimed, &self.shared.context(), &mut effects);
        }
        let state = behind.map(|behind| record::wire(&MessageState { behind }));
        for message in &messages {
            let mut put = record::put_message(message).expect(Expect::Absent);
            put.state.clone_from(&state);
            batch = batch.put(put);
        }
        let put = record::put_run(machine.run(), machine.state(), self.shared.due_at(machine.run()));
        batch = batch.put(put.expect(Expect::Absent).fence(1));
        // Looked at behind the lock: who holds that is the one to be named.
        batch = match &place {
            Some(place) => line::join(batch, &thread_id, place),
            None if thread.is_none() => line::require_empty(batch, &thread_id),
            None => batch,
        };
        let run = machine.run().id.clone();
        let log = EventLog::new(0, 0, &include);
        let tail = if stream { log.read(0) } else { None };
        let draft = log.draft(&effects.events);
        let batch = self.shared.announce(log.store(batch, &run, &draft), scope.organization(), machine.run());
        self.commit_on(scope, &thread_id, batch).await?;
        log.tell_stored(&draft);
        self.shared.announced();
        let (scope, versions, next) = (scope.clone(), Versions::new(1), effects.next);
        Ok(self.begin(Launch { scope, machine, versions, fence: 1, first: None, next, log, tail, permit }))
    }

    /// Commits what needs the thread, and says in the words of runs why it cannot be.
    async fn commit_on(&self, scope: &Scope, thread: &ThreadId, batch: Batch) -> Result<(), RunError> {
        match scope.commit(batch).await {
            Ok(()) => Ok(()),
            Err(StoreError::Locked { holder, .. }) => {
                Err(RunError::ThreadBusy { thread: thread.clone(), run: holder })
            }
            Err(StoreError::Missing { kind: Kind::Thread, .. }) => Err(RunError::NoThread(thread.clone())),
            Err(StoreError::OverLimit { counter, limit }) if counter == line::length(thread) => {
                if limit > 0 {
                    return Err(RunError::LineFull(thread.clone()));
                }
                match line::waiting(scope, thread).await?.into_iter().next() {
                    Some(Place { run, .. }) => {
                        Err(RunError::ThreadBusy { thread: thread.clone(), run: run.to_string() })
                    }
                    // Whoever waited does no more.
                    None => Err(RunError::Store(StoreError::Busy)),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who is ahead on `thread`, where `busy` was met.
    async fn ahead(&self, scope: &Scope, thread: &ThreadId, busy: RunId) -> Result<Ahead, RunError> {
        let waiting = line::waiting(scope, thread).await?;
        let active = waiting.iter().all(|place| place.run != busy).then_some(busy);
        Ok(Ahead { active, waiting })
    }

    /// Cancels those of `runs` that can be.
    pub(crate) async fn cancel_all(
        &self,
        scope: &Scope,
        thread: &ThreadId,
        runs: &[RunId],
    ) -> Result<(), RunError> {
        for run in runs {
            match self.cancel(scope, thread, run).await {
                Ok(_) | Err(RunError::NotCancellable { .. } | RunError::NoRun(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
