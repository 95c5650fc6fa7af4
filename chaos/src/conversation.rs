//! What a client does: message after message, run after run, until the chaos is over.

mod writes;

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use ropewalk_client::ReplyStream;
use ropewalk_events::Event;
use ropewalk_types::{
    CreateMessage, CreateRun, CreateThread, Message, Metadata, RunId, RunStatus, ThreadId, ToolOutput,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    World,
    caller::{Caller, PATIENCE, is_lost},
    reader::{Along, Reader, Story},
};
use writes::{Begun, Submitted, outputs};

/// Rounds in which a thread has to show that it can be used, once the upstream only answers well.
const LAST_ROUNDS: usize = 5;

/// A client with its thread, and what the server has acknowledged to it.
#[derive(Debug)]
pub(crate) struct Conversation {
    number: usize,
    dice: StdRng,
    pub(crate) thread: ThreadId,
    /// The messages of the user, as they were acknowledged.
    pub(crate) written: Vec<Message>,
    pub(crate) runs: Vec<Ran>,
}

/// A run that is over, as its client knows it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) id: RunId,
    pub(crate) status: RunStatus,
    /// A note that was put on it.
    pub(crate) note: Option<String>,
    pub(crate) outputs: Vec<ToolOutput>,
    /// Whether a cancel was acknowledged, or outputs came too late because of one.
    pub(crate) cancelled: bool,
    /// What one who read along was told.
    pub(crate) story: Story,
    /// What the streams of `ropewalk-client` gave, each with the number of its event.
    pub(crate) streams: Vec<Vec<(u64, Event)>>,
}

/// What a client has in mind with a run.
#[derive(Debug, Default)]
struct Plan {
    streamed: bool,
    with_message: bool,
    cancel: Option<Duration>,
    note: Option<Duration>,
    /// How long it takes to answer tool calls.
    think: Duration,
}

impl Conversation {
    /// A new thread.
    pub(crate) async fn begin(world: &World, number: usize) -> anyhow::Result<Self> {
        let dice = StdRng::seed_from_u64(world.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        // One that nobody heard of is missed by nobody.
        let thread =
            world.caller.read(async || world.caller.client.threads().create(CreateThread::new()).await);
        Ok(Self { number, dice, thread: thread.await?.id, written: Vec::new(), runs: Vec::new() })
    }

    /// Talks until the chaos is over.
    pub(crate) async fn go_on(mut self, world: &World) -> anyhow::Result<Self> {
        while self.runs.is_empty() || !world.over.get() {
            let plan = Plan::draw(&mut self.dice);
            self.round(world, &plan).await.with_context(|| format!("on {}", self.thread))?;
            sleep(Duration::from_millis(self.dice.random_range(0..300))).await;
        }
        Ok(self)
    }

    /// Shows that the thread takes a message and a run, and that the run completes.
    pub(crate) async fn end(mut self, world: &World) -> anyhow::Result<Self> {
        for _ in 0..LAST_ROUNDS {
            self.round(world, &Plan::default()).await.with_context(|| format!("on {}", self.thread))?;
            if self.runs.last().is_some_and(|ran| ran.status == RunStatus::Completed) {
                return Ok(self);
            }
            // The server may leave the upstream alone for a while yet.
            sleep(Duration::from_secs(1)).await;
        }
        bail!("no run completes on {}", self.thread)
    }

    /// A message and a run.
    async fn round(&mut self, world: &World, plan: &Plan) -> anyhow::Result<()> {
        let caller = &world.caller;
        let mark = format!("client-{} asks {}", self.number, self.runs.len());
        let notes = Metadata::from([("mark".to_owned(), mark.clone())]);
        let message = CreateMessage::user(mark.clone()).metadata(notes.clone());
        let mut body = CreateRun::new(world.assistant.clone()).metadata(notes.clone());
        if plan.with_message {
            body = body.additional_message(message);
        } else {
            let create = async || caller.client.messages().create(self.thread.clone(), message.clone()).await;
            self.written.push(caller.write(create, async || self.find_message(caller, &mark).await).await?);
        }
        let begun = caller
            .write(
                async || self.create_run(caller, &body, plan.streamed).await,
                async || self.find_run(caller, &mark).await,
            )
            .await?;
        if plan.with_message {
            let message = caller.read(async || self.find_message(caller, &mark).await).await?;
            self.written.push(message.with_context(|| format!("the message of {} is missing", begun.run))?);
        }
        let along = Along {
            recovery: &world.recovery,
            client: self.number,
            dice: StdRng::seed_from_u64(self.dice.next_u64()),
        };
        let id = begun.run.clone();
        let ran = timeout(PATIENCE, self.see_through(caller, begun, plan, notes, along)).await;
        self.runs.push(ran.with_context(|| format!("{id} is not over after {PATIENCE:?}"))??);
        Ok(())
    }

    /// Does with a run what is planned, until it is over.
    async fn see_through(
        &self,
        caller: &Caller,
        begun: Begun,
        plan: &Plan,
        mut notes: Metadata,
        along: Along<'_>,
    ) -> anyhow::Result<Ran> {
        let id = begun.run.clone();
        let reader = Reader { caller, thread: &self.thread, run: &id };
        let over = watch::Sender::new(false);
        let (mut cancelled, mut note) = (false, None);
        let cancel = async {
            if comes_before(plan.cancel, &over).await {
                cancelled = self.cancel(caller, &id).await?;
            }
            if cancelled {
                self.stays_cancelled(caller, &id).await?;
            }
            anyhow::Ok(())
        };
        let annotate = async {
            if comes_before(plan.note, &over).await {
                let text = format!("note {:?}", plan.note);
                notes.insert("note".to_owned(), text.clone());
                self.annotate(caller, &id, &notes).await?;
                note = Some(text);
            }
            anyhow::Ok(())
        };
        let mut ran = Ran {
            id: id.clone(),
            status: RunStatus::Queued,
            note: None,
            outputs: Vec::new(),
            cancelled: false,
            story: Story::new(),
            streams: Vec::new(),
        };
        let follow = async {
            let ((), story) =
                tokio::try_join!(self.drive(caller, begun, plan, &mut ran), reader.read(Some(along)))?;
            over.send_replace(true);
            anyhow::Ok(story)
        };
        // What was begun aside is brought to its end, for it may have been done.
        let (story, (), ()) = tokio::try_join!(follow, cancel, annotate)?;
        (ran.story, ran.note) = (story, note);
        ran.cancelled |= cancelled;
        Ok(ran)
    }

    /// Reads what the run's streams give, and answers its tool calls.
    async fn drive(&self, caller: &Caller, begun: Begun, plan: &Plan, ran: &mut Ran) -> anyhow::Result<()> {
        let (mut stream, mut first) = (begun.stream, begun.first);
        loop {
            if let Some(stream) = stream.take() {
                ran.streams.push(read(stream, first.take()).await?);
            }
            let wait = async || caller.client.runs().wait(self.thread.clone(), ran.id.clone()).await;
            let run = caller.read(wait).await?;
            ran.status = run.status;
            let Some(action) = run.required_action else { return Ok(()) };
            sleep(plan.think).await;
            let outputs = outputs(&action);
            match self.submit(caller, &ran.id, &outputs, plan.streamed).await? {
                Submitted::Taken(next) => {
                    stream = next;
                    ran.outputs.extend(outputs);
                }
                Submitted::TooLate => ran.cancelled = true,
            }
        }
    }
}

impl Plan {
    fn draw(dice: &mut StdRng) -> Self {
        let mut sometimes = |percent, up_to| {
            let after = Duration::from_millis(dice.random_range(0..up_to));
            dice.random_ratio(percent, 100).then_some(after)
        };
        let (cancel, note) = (sometimes(15, 3000), sometimes(25, 2000));
        Self {
            streamed: dice.random(),
            with_message: dice.random_ratio(1, 3),
            cancel,
            note,
            think: Duration::from_millis(dice.random_range(0..500)),
        }
    }
}

/// Waits until it is time; `false` if there is no time, or all is over before.
async fn comes_before(time: Option<Duration>, over: &watch::Sender<bool>) -> bool {
    let Some(time) = time else { return false };
    timeout(time, over.subscribe().wait_for(|over| *over)).await.is_err()
}

/// Reads a stream of the client to its end. It may break only where the client cannot know how to go on: before its first
/// event.
async fn read(
    mut stream: ReplyStream<Event>,
    first: Option<(u64, Event)>,
) -> anyhow::Result<Vec<(u64, Event)>> {
    let mut events: Vec<_> = first.into_iter().collect();
    while let Some(event) = stream.next().await {
        let event = match event {
            Err(error) if events.is_empty() && is_lost(&error) => return Ok(events),
            event => event.context("a stream of the client broke")?,
        };
        if event == Event::Done {
            return Ok(events);
        }
        let number = stream.last_event().context("an event without a number")?;
        let last = events.last().map_or(0, |(number, _)| *number);
        ensure!(number > last, "the client's stream gives event {number} behind {last}");
        events.push((number, event));
    }
    bail!("a stream of the client has no end")
}
