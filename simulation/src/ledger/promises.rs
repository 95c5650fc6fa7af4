//! What clients were told, which has to be true from then on.

use std::collections::BTreeMap;

use ropewalk_events::Event;
use ropewalk_types::{Message, Run, RunStatus, RunStep, ToolOutput};

use super::{Ledger, Writer, writes::outputs};
use crate::world::World;

/// How late a cancel may be heard of, in milliseconds: a driver in another process looks as it renews its lease, once
/// a second; one whose reader is slow when that comes back, or after a second; and none listens while it reads the store.
const HEARD: u64 = 2_500;

/// What was acknowledged or told, by id.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    /// Runs that were made, with their threads.
    runs: BTreeMap<String, String>,
    /// Messages that were added, with their threads.
    messages: BTreeMap<String, String>,
    /// Outputs that were taken, by run and call.
    outputs: BTreeMap<(String, String), String>,
    /// When runs were asked to stop.
    cancels: BTreeMap<String, u64>,
    /// The newest metadata of a run that was acknowledged, as a place in the order of all it had.
    notes: BTreeMap<String, usize>,
    /// Steps and messages, with the status that they were told to have ended with.
    closed: BTreeMap<String, String>,
}

impl Ledger {
    /// A client was told that its run was made.
    pub(crate) fn promised_run(&mut self, run: &Run) {
        self.promises.runs.insert(run.id.to_string(), run.thread_id.to_string());
    }

    /// A client was told that its message was added.
    pub(crate) fn promised_message(&mut self, message: &Message) {
        self.promises.messages.insert(message.id.to_string(), message.thread_id.to_string());
    }

    /// A client was told that its outputs were taken.
    pub(crate) fn promised_outputs(&mut self, world: &World, run: &str, taken: &[ToolOutput]) {
        for output in taken {
            let key = (run.to_owned(), output.tool_call_id.to_string());
            let text = output.output.clone().unwrap_or_default();
            if let Some(before) = self.promises.outputs.insert(key, text.clone()) {
                let call = &output.tool_call_id;
                world.broken(format!("two outputs were taken for {call} of {run}: {before} and {text}"));
            }
        }
        self.keeps_promises(world);
    }

    /// A client was told that its run will stop.
    pub(crate) fn promised_cancel(&mut self, world: &World, run: &str) {
        let now = world.clock.elapsed_ms();
        self.promises.cancels.entry(run.to_owned()).or_insert(now);
    }

    /// A client was told that its notes are on the run.
    pub(crate) fn promised_notes(&mut self, world: &World, run: &Run) {
        let Some(facts) = self.runs.get(run.id.as_str()) else { return };
        let notes = format!("{:?}", run.metadata);
        match facts.notes.iter().position(|stored| *stored == notes) {
            Some(at) => {
                let newest = self.promises.notes.entry(run.id.to_string()).or_default();
                *newest = at.max(*newest);
            }
            None => {
                world.broken(format!("the notes {notes} of {} were acknowledged and never stored", run.id))
            }
        }
    }

    /// A client reads `event`: what it says was stored before.
    pub(crate) fn told(&mut self, world: &World, event: &Event) {
        let (id, thread, over) = if let Some(run) = event.as_run() {
            let over = run.status.is_terminal() || run.status == RunStatus::RequiresAction;
            (run.id.as_str(), run.thread_id.as_str(), over)
        } else if let Some(step) = event.as_step() {
            let over = !matches!(event, Event::RunStepCreated(_) | Event::RunStepInProgress(_));
            (step.id.as_str(), step.thread_id.as_str(), over)
        } else if let Some(message) = event.as_message() {
            let over = !matches!(event, Event::MessageCreated(_) | Event::MessageInProgress(_));
            (message.id.as_str(), message.thread_id.as_str(), over)
        } else {
            return;
        };
        let Some(bodies) = self.bodies.get(id) else {
            return world
                .broken(format!("a client is told of {id} by {}, which is not stored", event.name()));
        };
        if !over || self.doomed.contains(thread) {
            return;
        }
        // Mostly the newest.
        if !bodies.iter().rev().any(|stored| same(event, stored)) {
            world.broken(format!("a client is told of {id} in a form that was never stored: {event:?}"));
        }
        if event.as_run().is_none() {
            let status = status_of(event);
            self.promises.closed.insert(id.to_owned(), status);
        }
    }

    /// Everything that was promised is there.
    pub(crate) fn keeps_promises(&self, world: &World) {
        let doomed = |thread: &str| self.doomed.contains(thread);
        for (run, thread) in self.promises.runs.iter().filter(|(_, thread)| !doomed(thread)) {
            if !self.runs.contains_key(run) {
                world.broken(format!("{run} on {thread} was acknowledged, and is gone"));
            }
        }
        for (message, thread) in self.promises.messages.iter().filter(|(_, thread)| !doomed(thread)) {
            if !self.messages.contains_key(message) {
                world.broken(format!("{message} on {thread} was acknowledged, and is gone"));
            }
        }
        for ((run, call), output) in &self.promises.outputs {
            let Some(facts) = self.runs.get(run) else { continue };
            let steps = facts.steps.iter().filter_map(|step| self.steps.get(step));
            let mut calls = steps.flat_map(|facts| outputs(&facts.step));
            let stored = calls.find(|(id, _)| id == call).and_then(|(_, output)| output);
            if stored != Some(output.as_str()) {
                world.broken(format!(
                    "{output} for {call} of {run} was acknowledged, and {stored:?} is stored"
                ));
            }
        }
        for run in self.promises.cancels.keys() {
            let status = self.runs.get(run).map(|facts| &facts.run.status);
            if status.is_some_and(|status| *status != RunStatus::Cancelling && !status.is_terminal()) {
                world.broken(format!("{run} was to stop, and is {status:?}"));
            }
        }
        for (run, newest) in &self.promises.notes {
            if let Some(facts) = self.runs.get(run)
                && facts.notes.len() <= *newest
            {
                world.broken(format!("notes on {run} were acknowledged, and are gone"));
            }
        }
        for (id, told) in &self.promises.closed {
            let step =
                self.steps.get(id).map(|facts| (&facts.step.thread_id, format!("{:?}", facts.step.status)));
            let message = self.messages.get(id);
            let message = message.map(|message| (&message.thread_id, format!("{:?}", message.status)));
            match step.or(message) {
                Some((_, stored)) if stored != *told => {
                    world.broken(format!("a client was told that {id} is {told}, and it is {stored}"));
                }
                _ => {}
            }
        }
    }

    /// When the driver of a run has heard of its cancel, if that was acknowledged.
    pub(super) fn cancel_heard_by(&self, run: &str) -> Option<u64> {
        self.promises.cancels.get(run).map(|asked| asked + HEARD)
    }

    /// A run that was asked to stop ends so, unless its end was on its way.
    pub(super) fn cancel_was_heard(&self, writer: Writer<'_>, run: &Run) {
        let Some(asked_ms) = self.promises.cancels.get(run.id.as_str()) else { return };
        let world = writer.world;
        if run.status == RunStatus::Cancelled || !world.weather.store_is_sound() {
            return;
        }
        let tried = self.ends_tried.get(&(run.id.to_string(), run.status.to_string())).copied();
        if tried.is_none_or(|tried| tried > asked_ms + HEARD) {
            let status = &run.status;
            writer.broken(|| format!("{} was to stop at {asked_ms} ms, and is {status}", run.id));
        }
    }
}

fn status_of(event: &Event) -> String {
    let message = event.as_message().map(|message| format!("{:?}", message.status));
    event.as_step().map(|step| format!("{:?}", step.status)).or(message).unwrap_or_default()
}

/// Whether the object of `event` is as it was stored but for its metadata, which others may change at any time.
fn same(event: &Event, stored: &[u8]) -> bool {
    if let Some(run) = event.as_run() {
        let stored = serde_json::from_slice::<Run>(stored);
        stored.is_ok_and(|mut stored| {
            stored.metadata.clone_from(&run.metadata);
            stored == *run
        })
    } else if let Some(message) = event.as_message() {
        let stored = serde_json::from_slice::<Message>(stored);
        stored.is_ok_and(|mut stored| {
            stored.metadata.clone_from(&message.metadata);
            stored == *message
        })
    } else {
        let stored = serde_json::from_slice::<RunStep>(stored);
        stored.is_ok_and(|stored| Some(&stored) == event.as_step())
    }
}
