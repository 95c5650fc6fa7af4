//! Clients: they ask for everything that the API has for threads and runs, and take note of what they are told.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use ropewalk_runs::{BusyPolicy, NewRun, RunError, RunStream, record};
use ropewalk_store::{Batch, Clock, Expect, Kind, ListRequest};
use ropewalk_types::{
    Budget, CreateMessage, Function, Id, Message, Metadata, Run, RunId, RunStatus, Thread, ThreadId, Tool,
    ToolCallId, ToolOutput,
};
use tokio::time::sleep;

use crate::{follower, process::Process, reader, world::World};

/// What clients know of each other's doings: the threads and runs that there are.
#[derive(Debug, Default, Clone)]
pub(crate) struct Known {
    pub(crate) threads: Vec<ThreadId>,
    pub(crate) runs: Vec<(ThreadId, RunId)>,
}

/// One client, with one thing after another to do.
pub(crate) struct Client {
    pub(crate) number: u64,
    pub(crate) world: Arc<World>,
}

impl Client {
    pub(crate) async fn live(self) {
        let world = &self.world;
        for _ in 0..world.random.within(world.weather.operations.clone()) {
            sleep(world.random.ms(0..1_500)).await;
            if world.verdict().is_some() {
                return;
            }
            self.act().await;
        }
    }

    async fn act(&self) {
        let random = &self.world.random;
        let known = self.world.known.lock().clone();
        let thread = random.pick(&known.threads).cloned();
        // Most of what is done is done to a run that is not long there.
        let newest = known.runs.len().saturating_sub(3);
        let run = random.pick(&known.runs[newest..]).cloned();
        match (random.below(100), thread, run) {
            (0..8, ..) => self.create_thread_and_run().await,
            (8..40, Some(thread), _) => self.create_run(thread).await,
            (40..50, Some(thread), _) => self.add_message(&thread).await,
            (50..72, _, Some((thread, run))) => self.submit(&thread, &run).await,
            (72..82, _, Some((thread, run))) => self.cancel(&thread, &run).await,
            (82..90, _, Some((thread, run))) => self.modify(&thread, &run).await,
            (90..92, _, Some((thread, run))) => self.watch(&thread, &run).await,
            (92..96, _, Some((thread, run))) => {
                drop(tokio::spawn(follower::follow(self.world.clone(), thread, run)))
            }
            (96..98, Some(thread), _) => self.delete_thread(&thread).await,
            _ => self.create_thread().await,
        }
    }

    /// Makes a request; `None` if nobody answers it.
    async fn ask<T>(
        &self,
        what: impl FnOnce() -> String,
        request: impl AsyncFnOnce(Arc<Process>) -> Result<T, RunError>,
    ) -> Option<(Arc<Process>, Result<T, RunError>)> {
        let world = &self.world;
        let living = world.living();
        let process = random_one(world, &living)?;
        world.say(|| format!("client {} asks {process:?} to {}", self.number, what()));
        let patience = match world.strikes(world.weather.impatient) {
            true => world.random.ms(0..60),
            false => Duration::from_secs(60),
        };
        let answer = tokio::select! {
            biased;
            () = process.death() => None,
            () = sleep(patience) => None,
            answer = request(process.clone()) => Some(answer),
        };
        world.say(|| match &answer {
            None => format!("client {} gets no answer", self.number),
            Some(Ok(_)) => format!("client {} gets its answer", self.number),
            Some(Err(error)) => format!("client {} is told: {error}", self.number),
        });
        Some((process, answer?))
    }

    pub(crate) async fn create_thread(&self) {
        let thread = self.new_thread();
        let put = record::put_thread(&thread).expect(Expect::Absent);
        let asked = self.ask(
            || format!("make {}", thread.id),
            async |process| {
                let Some((_, scope)) = process.engine() else { return Ok(()) };
                Ok(scope.commit(Batch::new().put(put)).await?)
            },
        );
        if let Some((_, Ok(()))) = asked.await {
            self.world.known.lock().threads.push(thread.id);
        }
    }

    async fn create_thread_and_run(&self) {
        let thread = self.new_thread();
        let new = NewRun { thread: Some(thread.clone()), ..self.new_run(&thread.id) };
        self.create(new).await;
    }

    async fn create_run(&self, thread: ThreadId) {
        let mut new = self.new_run(&thread);
        new.busy = self.policy();
        self.create(new).await;
    }

    async fn create(&self, new: NewRun) {
        let world = &self.world;
        let (run, messages, made) = (new.run.clone(), new.messages.clone(), new.thread.is_some());
        let (thread, stream) = (run.thread_id.clone(), new.stream);
        // Whether or not an answer comes, the run may be there.
        world.known.lock().runs.push((thread.clone(), run.id.clone()));
        let what = || {
            let streamed = if stream { ", streamed" } else { "" };
            format!("make {} ({}) on {thread}, {}{streamed}", run.id, run.model, new.busy)
        };
        let line = what();
        let asked = self.ask(
            || line,
            async |process| {
                let Some((engine, scope)) = process.engine() else { return Ok(None) };
                engine.create(&scope, new).await.map(Some)
            },
        );
        if let Some((process, Ok(Some(started)))) = asked.await {
            {
                let mut ledger = world.ledger.lock();
                ledger.promised_run(&started.run);
                messages.iter().for_each(|message| ledger.promised_message(message));
            }
            if made {
                world.known.lock().threads.push(thread);
            }
            self.read(process, started.stream, reader::Begin::Run, &started.run).await;
        }
    }

    async fn add_message(&self, thread: &ThreadId) {
        let (message, policy) = (self.new_message(thread), self.policy());
        let asked = self.ask(
            || format!("add {} to {thread}, {policy}", message.id),
            async |process| {
                let Some((engine, scope)) = process.engine() else { return Ok(false) };
                engine.add_message(&scope, &message, policy, Batch::new()).await.map(|_| true)
            },
        );
        if let Some((_, Ok(true))) = asked.await {
            self.world.ledger.lock().promised_message(&message);
        }
    }

    /// Submits outputs, sometimes twice at once.
    async fn submit(&self, thread: &ThreadId, run: &RunId) {
        if self.world.random.permille(200) {
            join(self.submit_once(thread, run), self.submit_once(thread, run)).await;
        } else {
            self.submit_once(thread, run).await;
        }
    }

    async fn submit_once(&self, thread: &ThreadId, run: &RunId) {
        let world = &self.world;
        let mut calls = world.ledger.lock().calls_to_answer(run.as_str());
        match world.random.below(12) {
            0 => drop(calls.pop()),
            1 => calls.push("call_unknown".into()),
            2 => calls.extend(calls.first().cloned()),
            _ => {}
        }
        let output = |call: &ToolCallId| ToolOutput::new(call, format!("out {}", world.random.next()));
        let outputs: Vec<ToolOutput> = calls.iter().map(output).collect();
        let stream = world.random.permille(400);
        let asked = self.ask(
            || format!("take {outputs:?} for {run}{}", if stream { ", streamed" } else { "" }),
            async |process| {
                let Some((engine, scope)) = process.engine() else { return Ok(None) };
                engine.submit(&scope, thread, run, &outputs, stream).await.map(Some)
            },
        );
        if let Some((process, Ok(Some(started)))) = asked.await {
            world.ledger.lock().promised_outputs(world, run.as_str(), &outputs);
            self.read(process, started.stream, reader::Begin::Outputs, &started.run).await;
        }
    }

    async fn cancel(&self, thread: &ThreadId, run: &RunId) {
        let asked = self.ask(
            || format!("cancel {run}"),
            async |process| {
                let Some((engine, scope)) = process.engine() else { return Ok(None) };
                engine.cancel(&scope, thread, run).await.map(Some)
            },
        );
        if let Some((_, Ok(Some(told)))) = asked.await {
            if told.status != RunStatus::Cancelling {
                self.world.broken(format!("{run} was cancelled, and is told to be {}", told.status));
            }
            self.world.ledger.lock().promised_cancel(&self.world, run.as_str());
        }
    }

    async fn modify(&self, thread: &ThreadId, run: &RunId) {
        let notes = Metadata::from([("note".to_owned(), self.world.random.next().to_string())]);
        let asked = self.ask(
            || format!("note {notes:?} on {run}"),
            async |process| {
                let Some((engine, scope)) = process.engine() else { return Ok(None) };
                engine.modify(&scope, thread, run, notes.clone().into()).await.map(Some)
            },
        );
        if let Some((_, Ok(Some(told)))) = asked.await {
            self.world.ledger.lock().promised_notes(&self.world, &told);
        }
    }

    async fn watch(&self, thread: &ThreadId, run: &RunId) {
        let patience = self.world.random.ms(0..3_000);
        // What it sees is what is stored, by another way.
        let _seen = self
            .ask(
                || format!("wait for a change of {run}"),
                async |process| {
                    let Some((engine, scope)) = process.engine() else { return Ok(()) };
                    engine.changed(&scope, thread, run, patience).await.map(drop)
                },
            )
            .await;
    }

    /// As the server does it.
    async fn delete_thread(&self, thread: &ThreadId) {
        self.world.known.lock().threads.retain(|other| other != thread);
        let _deleted = self
            .ask(
                || format!("delete {thread}"),
                async |process| {
                    let Some((engine, scope)) = process.engine() else { return Ok(()) };
                    let newest = ListRequest::new(Kind::Run).parent(thread.as_str()).limit(101);
                    let runs = scope.list(&newest).await?.documents;
                    let tree = Batch::new().delete_tree(Kind::Thread, thread.as_str());
                    scope.commit(tree.drop_counters(record::thread_counters(thread))).await?;
                    runs.iter().for_each(|run| engine.poke(&RunId::new(run.id.as_str())));
                    Ok(())
                },
            )
            .await;
    }

    /// Reads a stream, in its own time or beside what it does next.
    async fn read(&self, process: Arc<Process>, stream: Option<RunStream>, begin: reader::Begin, run: &Run) {
        let Some(stream) = stream else { return };
        let reading = reader::read(process, stream, begin, run.id.clone(), run.thread_id.clone());
        if self.world.random.permille(300) {
            reading.await;
        } else {
            tokio::spawn(reading);
        }
    }

    fn new_thread(&self) -> Thread {
        Thread::new(ThreadId::mint(&*self.world.ids()), self.world.clock.now())
    }

    fn new_message(&self, thread: &ThreadId) -> Message {
        let world = &self.world;
        let text = CreateMessage::user(format!("u{}", world.random.below(1000)));
        Message::new(Id::mint(&*world.ids()), thread.clone(), world.clock.now(), text)
    }

    fn new_run(&self, thread: &ThreadId) -> NewRun {
        let (world, random) = (&self.world, &self.world.random);
        let id = RunId::mint(&*world.ids());
        let model = id.as_str().replace("run_", "model-of-");
        let (now, lasts) = (world.clock.now(), random.within(world.weather.expiry.clone()));
        let mut run =
            Run::new(id, thread.clone(), "asst_1".into(), model.into(), now, now.plus(lasts.cast_signed()));
        run.tools = [
            Tool::function(Function::new("f")),
            Tool::CodeInterpreter,
            Tool::FileSearch { file_search: None },
        ]
        .into_iter()
        .filter(|_| random.permille(600))
        .collect();
        if random.permille(100) {
            run.budget =
                Some(Budget::new().max_model_calls(random.within(1..4)).max_seconds(random.within(1..20)));
        }
        let mut new = NewRun::new(run);
        new.stream = random.permille(500);
        if random.permille(300) {
            new.messages = vec![self.new_message(thread)];
        }
        if random.permille(150) {
            new.key = Some("key".to_owned());
            new.key_budget = Some(Budget::new().max_model_calls(random.within(2..12)));
        }
        new
    }

    fn policy(&self) -> BusyPolicy {
        *self.world.random.pick(&BusyPolicy::ALL).unwrap_or(&BusyPolicy::Reject)
    }
}

fn random_one(world: &World, living: &[Arc<Process>]) -> Option<Arc<Process>> {
    world.random.pick(living).cloned()
}
