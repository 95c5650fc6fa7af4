//! A client that reads a stream, and holds what it is told to the rules.

use std::{pin::pin, sync::Arc};

use futures_util::StreamExt;
use ropewalk_events::{Decoder, Event, Frame, Grammar, Snapshot};
use ropewalk_runs::RunStream;
use ropewalk_types::{RunId, RunStep, ThreadId};
use tokio::time::sleep;

use crate::{process::Process, world::World};

/// What a stream begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begin {
    Run,
    Outputs,
}

/// How a reader reads.
pub(crate) enum Manner {
    ToTheEnd,
    /// So many chunks, and then it is gone.
    Leaves(u64),
    Slowly,
}

impl Manner {
    pub(crate) fn any(world: &World) -> Self {
        match world.random.below(10) {
            0..2 => Self::Leaves(world.random.within(0..8)),
            2..4 => Self::Slowly,
            _ => Self::ToTheEnd,
        }
    }
}

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All is told.
    Done,
    /// The server said that it cannot tell more.
    Error,
    /// The connection broke, or the server let go of it.
    Broken,
    /// The reader left.
    Left,
}

/// Reads the stream of a request that moves a run.
pub(crate) async fn read(
    process: Arc<Process>,
    stream: RunStream,
    begin: Begin,
    run: RunId,
    thread: ThreadId,
) {
    let world = process.world.clone();
    let grammar = match begin {
        Begin::Run => Grammar::whole_run(),
        Begin::Outputs => Grammar::submit_tool_outputs(),
    };
    let mut heard = Heard::new(run, thread, Some(grammar), None);
    heard.from_middle = matches!(begin, Begin::Outputs);
    heard.read(&process, stream, Manner::any(&world)).await;
}

/// What one reader was told so far.
pub(crate) struct Heard {
    run: RunId,
    thread: ThreadId,
    /// None if it cannot know what came before.
    grammar: Option<Grammar>,
    snapshot: Snapshot,
    /// Its stream began behind outputs, not with the run.
    from_middle: bool,
    /// The number of the last event, unless nothing was told yet.
    pub(crate) last: Option<u64>,
    /// How often numbers were left out.
    jumps: u64,
    /// Numbers were left out since the open message or step began.
    jumped: bool,
    end: Option<End>,
    /// All events with their numbers, if they are kept.
    pub(crate) kept: Option<Vec<(u64, Event)>>,
}

impl Heard {
    pub(crate) fn new(run: RunId, thread: ThreadId, grammar: Option<Grammar>, last: Option<u64>) -> Self {
        Self {
            run,
            thread,
            grammar,
            snapshot: Snapshot::new(),
            from_middle: false,
            last,
            jumps: 0,
            jumped: false,
            end: None,
            kept: None,
        }
    }

    /// Reads a stream that goes on behind what was read before.
    pub(crate) async fn read(&mut self, process: &Process, stream: RunStream, manner: Manner) -> End {
        let world = &process.world;
        self.end = None;
        let (mut stream, mut decoder, mut chunks) = (pin!(stream), Decoder::new(), 0);
        loop {
            if matches!(manner, Manner::Leaves(after) if chunks >= after) {
                world.say(|| format!("a reader of {} leaves", self.run));
                return End::Left;
            }
            let chunk = tokio::select! {
                biased;
                () = process.death() => None,
                chunk = stream.next() => chunk,
            };
            let Some(bytes) = chunk else { break };
            chunks += 1;
            decoder.push(bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                self.frame(world, &frame);
            }
            if matches!(manner, Manner::Slowly) {
                sleep(world.random.ms(0..2_500)).await;
            }
        }
        if self.end.is_none() && process.is_alive() && !process.is_leaving() {
            world.broken(format!("the stream of {} ends before its end", self.run));
        }
        self.end.take().unwrap_or(End::Broken)
    }

    fn frame(&mut self, world: &World, frame: &Frame) {
        let event = match Event::from_frame(frame) {
            Ok(event) => event,
            Err(error) => return world.broken(format!("{} cannot be read: {error}", frame.event.as_str())),
        };
        if self.end == Some(End::Done) {
            world.broken(format!("{} comes behind the end of the stream of {}", event.name(), self.run));
        }
        match &event {
            Event::Done => self.end = Some(End::Done),
            Event::Error(error) => {
                self.end = Some(End::Error);
                let sound = world.weather.store_is_sound();
                if sound && !world.ledger.lock().is_doomed(self.thread.as_str()) {
                    world.broken(format!("the stream of {} fails: {error:?}", self.run));
                }
            }
            event => {
                let number = frame.id.as_str().parse().unwrap_or_default();
                world.say(|| format!("a reader of {} reads {number}, {}", self.run, event.name()));
                self.number(world, number);
                world.ledger.lock().told_frame(world, self.run.as_str(), number, frame);
                self.event(world, event);
                if let Some(kept) = &mut self.kept {
                    kept.push((number, event.clone()));
                }
            }
        }
    }

    /// Numbers rise by one, but where the run was taken over.
    fn number(&mut self, world: &World, number: u64) {
        let Some(last) = self.last.replace(number) else { return };
        if number <= last {
            return world.broken(format!("event {number} of {} comes behind event {last}", self.run));
        }
        if number > last + 1 {
            self.jumped = true;
            self.jumps += 1;
            if self.from_middle || world.power_losses() > 0 {
                // No grammar knows how a stream goes on that began in the middle; and where the power was lost, what only
                // began may have never been.
                (self.grammar, self.snapshot) = (None, Snapshot::new());
            }
            let takeovers = world.ledger.lock().takeovers(self.run.as_str());
            if self.jumps > takeovers {
                world.broken(format!("events {last} and {number} of {} follow each other", self.run));
            }
        }
    }

    fn event(&mut self, world: &World, event: &Event) {
        if let Some(grammar) = &mut self.grammar
            && let Err(illegal) = grammar.accept(event)
        {
            world.broken(format!("the stream of {}: {illegal}", self.run));
        }
        world.ledger.lock().told(world, event);
        self.adds_up(world, event);
        // Who came in the middle does not know what deltas belong to.
        let applied = self.snapshot.apply(event);
        if let (Err(error), true) = (applied, self.grammar.is_some()) {
            world.broken(format!("the stream of {}: {error}", self.run));
        }
    }

    /// What ends a message or a step says what its deltas said; or less, if the driver died that said more.
    fn adds_up(&mut self, world: &World, event: &Event) {
        match event {
            Event::MessageCompleted(message) | Event::MessageIncomplete(message) => {
                let Some(sum) = self.snapshot.message(&message.id) else { return };
                let whole = said(&message.content);
                let sum = said(&sum.content);
                let jumped = std::mem::take(&mut self.jumped);
                if sum != whole && !(jumped && sum.starts_with(&whole)) {
                    world.broken(format!("{} is told as {sum:?}, and ends as {whole:?}", message.id));
                }
            }
            Event::RunStepCompleted(step) | Event::RunStepFailed(step) => {
                let Some(sum) = self.snapshot.step(&step.id).map(arguments) else { return };
                let whole = arguments(step);
                let jumped = std::mem::take(&mut self.jumped);
                if sum != whole && !(jumped && sum.starts_with(&whole)) {
                    world.broken(format!("{} is told as {sum:?}, and ends as {whole:?}", step.id));
                }
            }
            _ => {}
        }
    }
}

fn said(content: &[ropewalk_types::MessageContent]) -> String {
    use ropewalk_types::MessageContent;
    let part = |part: &MessageContent| match part {
        MessageContent::Text { text } => text.value.clone(),
        MessageContent::Refusal { refusal } => refusal.clone(),
        other => format!("{other:?}"),
    };
    content.iter().map(part).collect()
}

/// The calls of a step without their outputs, which are told at its end only.
fn arguments(step: &RunStep) -> String {
    use ropewalk_types::{StepDetails, ToolCallRecord};
    let StepDetails::ToolCalls { tool_calls } = &step.step_details else { return String::new() };
    let call = |call: &ToolCallRecord| match call {
        ToolCallRecord::Function { id, function } => format!("{id} {}({}", function.name, function.arguments),
        other => other.id().map(|id| id.as_str().to_owned()).unwrap_or_default(),
    };
    tool_calls.iter().map(call).collect::<Vec<_>>().join("; ")
}
