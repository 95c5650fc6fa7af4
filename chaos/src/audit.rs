//! Holds what the server has at the end against what it said on the way.

use std::fs;

use anyhow::{Context, ensure};
use ropewalk_events::{Event, Grammar, Snapshot};
use ropewalk_types::{
    ListQuery, Message, MessageStatus, Order, Role, Run, RunStatus, RunStep, RunStepStatus, StepDetails,
    ToolCallRecord, ToolOutput,
};
use tokio::time::timeout;

use crate::{
    World, answer,
    caller::PATIENCE,
    conversation::{Conversation, Ran},
    reader::{Reader, Story},
};

/// What was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checked {
    /// Writes that were acknowledged.
    pub(crate) writes: usize,
    pub(crate) events: usize,
}

/// Checks a thread and all its runs.
pub(crate) async fn audit(world: &World, conversation: &Conversation) -> anyhow::Result<Checked> {
    let (caller, thread) = (&world.caller, &conversation.thread);
    let oldest_first = || ListQuery::new().limit(100).order(Order::Asc);
    let messages: Vec<Message> = caller
        .read(async || caller.client.messages().all(thread.clone(), oldest_first()).collect().await)
        .await?;
    let runs: Vec<Run> = caller
        .read(async || caller.client.runs().all(thread.clone(), oldest_first()).collect().await)
        .await?;
    let written: Vec<_> = messages.iter().filter(|message| message.role == Role::User).collect();
    let lists = (0..written.len().max(conversation.written.len()))
        .map(|place| (written.get(place).copied(), conversation.written.get(place)));
    for (found, acknowledged) in lists.filter(|(found, acknowledged)| found != acknowledged) {
        world.faults.add(format!("{thread} has {found:?}, and {acknowledged:?} was acknowledged"));
    }
    let known: Vec<_> = conversation.runs.iter().map(|ran| &ran.id).collect();
    world.faults.unless(runs.iter().map(|run| &run.id).eq(known.iter().copied()), || {
        format!("{thread} has other runs than {known:?}")
    });
    // The thread itself is one, too.
    let mut checked = Checked { writes: 1 + conversation.written.len(), events: 0 };
    for (ran, run) in conversation.runs.iter().zip(runs) {
        checked.writes +=
            1 + ran.outputs.len() + usize::from(ran.note.is_some()) + usize::from(ran.cancelled);
        let steps = caller.client.run_steps();
        let steps = caller
            .read(async || steps.all(thread.clone(), ran.id.clone(), oldest_first()).collect().await)
            .await?;
        let reader = Reader { caller, thread, run: &ran.id };
        let whole = timeout(PATIENCE, reader.read(None)).await??;
        checked.events += whole.len();
        let own = messages.iter().filter(|message| message.run_id.as_ref() == Some(&ran.id));
        let messages = own.filter(|message| message.role == Role::Assistant).cloned().collect();
        let mut audit = Audit { run, steps, messages, whole, ran, found: Vec::new() };
        audit.check();
        if !audit.found.is_empty() {
            let found = std::mem::take(&mut audit.found).join("; ");
            let file = world.folder.join(format!("{}.txt", ran.id));
            fs::write(&file, format!("{found}\n{audit:#?}"))?;
            world.faults.add(format!("{found}: see {}", file.display()));
        }
    }
    Ok(checked)
}

/// A run as the server has it, and as its client knows it.
#[derive(Debug)]
struct Audit<'a> {
    run: Run,
    steps: Vec<RunStep>,
    messages: Vec<Message>,
    /// Its events, read when all was over.
    whole: Story,
    ran: &'a Ran,
    /// What is wrong.
    found: Vec<String>,
}

impl Audit<'_> {
    fn check(&mut self) {
        let (run, ran) = (&self.run, self.ran);
        let note = run.metadata.as_ref().and_then(|notes| notes.get("note"));
        let whole = |message: &Message| {
            message.status != MessageStatus::Completed || answer::is_whole(&message.text())
        };
        let claims = [
            (run.status.is_terminal() && run.status == ran.status, "it is over as it was told"),
            // One that was acknowledged comes too late for a run that ends at that moment.
            (
                ran.cancelled || run.status != RunStatus::Cancelled,
                "it is cancelled only if that was asked for",
            ),
            (ran.note.is_none() || ran.note.as_ref() == note, "it has its note"),
            (ran.outputs.iter().all(|output| self.has(output)), "it has the outputs that it took"),
            (self.messages.iter().all(whole), "what it completed is what a model said to its end"),
        ];
        let wrong =
            claims.into_iter().filter(|(holds, _)| !holds).map(|(_, claim)| format!("not so: {claim}"));
        let stories = [("all that is stored", &self.whole), ("all that was told", &ran.story)];
        let stories = stories
            .into_iter()
            .filter_map(|(name, story)| self.adds_up(story).err().map(|error| format!("{name}: {error:#}")));
        let streams = ran.streams.iter().filter_map(|stream| self.differs(stream));
        self.found = wrong.chain(stories).chain(self.told_otherwise()).chain(streams).collect();
    }

    fn has(&self, output: &ToolOutput) -> bool {
        let calls = self.steps.iter().filter_map(|step| match &step.step_details {
            StepDetails::ToolCalls { tool_calls } => Some(tool_calls),
            _ => None,
        });
        calls.flatten().any(|call| {
            matches!(call, ToolCallRecord::Function { id, function }
                if *id == output.tool_call_id && function.output == output.output)
        })
    }

    /// A story is legal from its first event to its last, and sums up to what the server has.
    fn adds_up(&self, story: &Story) -> anyhow::Result<()> {
        let (mut grammar, mut snapshot) = (Grammar::whole_run(), Snapshot::new());
        for (number, frame) in story {
            let event = Event::from_frame(frame)?;
            grammar.accept(&event).with_context(|| format!("event {number}"))?;
            snapshot.apply(&event).with_context(|| format!("event {number}"))?;
        }
        grammar.accept(&Event::Done)?;
        let mut run = snapshot.run().context("no run")?.clone();
        // Notes may be put on a run at any time, which is no event.
        run.metadata.clone_from(&self.run.metadata);
        ensure!(run == self.run, "the run is another");
        ensure!(
            without_late_outputs(snapshot.steps()) == without_late_outputs(&self.steps),
            "the steps are others"
        );
        ensure!(snapshot.messages() == self.messages, "the messages are others");
        Ok(())
    }

    /// Who read along was told all that is stored, in the same words; besides it no more than deltas.
    fn told_otherwise(&self) -> Option<String> {
        let told = &self.ran.story;
        let missing = self.whole.iter().find(|(number, frame)| told.get(number) != Some(frame));
        let missing = missing.map(|(number, frame)| format!("{frame:?} was told as {:?}", told.get(number)));
        let gone = told.iter().find(|(number, frame)| {
            !self.whole.contains_key(number) && !frame.event.as_str().ends_with(".delta")
        });
        missing.or_else(|| gone.map(|(_, frame)| format!("{frame:?} was told, and is gone")))
    }

    /// A stream of the client gives all events between its first and its last, in the same words.
    fn differs(&self, stream: &[(u64, Event)]) -> Option<String> {
        let (first, last) = (stream.first()?.0, stream.last()?.0);
        let mut given = stream.iter().filter(|(number, _)| self.whole.contains_key(number));
        self.whole.range(first..=last).find_map(|(number, frame)| {
            let given = given.next();
            let same = given.is_some_and(|(given, event)| {
                given == number && Event::from_frame(frame).is_ok_and(|stored| stored == *event)
            });
            (!same).then(|| format!("{frame:?} was given by the client as {given:?}"))
        })
    }
}

/// Outputs that came when their run was cancelled already are refused, and kept on its step without an event.
fn without_late_outputs(steps: &[RunStep]) -> Vec<RunStep> {
    let mut steps = steps.to_vec();
    for step in steps.iter_mut().filter(|step| step.status == RunStepStatus::Cancelled) {
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { continue };
        for call in tool_calls {
            if let ToolCallRecord::Function { function, .. } = call {
                function.output = None;
            }
        }
    }
    steps
}
