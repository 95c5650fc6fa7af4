//! What a commit may change.

use std::collections::BTreeSet;

use ropewalk_runs::ServerCall;
use ropewalk_store::{Batch, Kind, Operation, Put};
use ropewalk_types::{
    Message, MessageStatus, Run, RunStatus, RunStep, RunStepStatus, StepDetails, ToolCallRecord, Usage,
};
use serde::Deserialize;

use super::{Ledger, RunFacts, StepFacts, Writer};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    usage: Usage,
    model_calls: u64,
    waiting: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct StepState {
    calls: Vec<ServerCall>,
}

impl Ledger {
    pub(super) fn read(&mut self, writer: Writer<'_>, batch: &Batch) {
        let over: BTreeSet<String> = self
            .runs
            .iter()
            .filter(|(_, facts)| facts.run.status.is_terminal())
            .map(|(id, _)| id.clone())
            .collect();
        let mut ended = Vec::new();
        let mut moved = Vec::new();
        for operation in &batch.operations {
            match operation {
                Operation::Put(put) => {
                    if writer.process.is_some() {
                        self.bodies.entry(put.id.clone()).or_default().push(put.body.clone());
                    }
                    if put.kind == Kind::Run {
                        moved.extend(self.new_status(put));
                    }
                    match put.kind {
                        Kind::Thread => {
                            self.threads.entry(put.id.clone()).or_default();
                        }
                        Kind::Run if self.run(writer, put) => ended.push(put.id.clone()),
                        Kind::RunStep => self.step(writer, put, &over),
                        Kind::Message => self.message(writer, put, &over),
                        _ => {}
                    }
                }
                Operation::DeleteTree(Kind::Thread, id) => self.forget_thread(id),
                _ => {}
            }
        }
        for run in ended {
            self.all_closed(writer, &run);
        }
        judge_notices(writer, batch, &moved);
    }

    /// The run and its status, if that is another than before.
    fn new_status(&self, put: &Put) -> Option<(String, String)> {
        let run: Run = serde_json::from_slice(&put.body).ok()?;
        let moved = self.runs.get(&put.id).is_none_or(|facts| facts.run.status != run.status);
        moved.then(|| (put.id.clone(), run.status.to_string()))
    }

    fn forget_thread(&mut self, thread: &str) {
        self.threads.remove(thread);
        self.messages.retain(|_, message| message.thread_id.as_str() != thread);
        self.steps.retain(|_, facts| facts.step.thread_id.as_str() != thread);
        self.runs.retain(|_, facts| facts.run.thread_id.as_str() != thread);
    }

    /// Says whether the run ends with it.
    fn run(&mut self, writer: Writer<'_>, put: &Put) -> bool {
        let Ok(run) = serde_json::from_slice::<Run>(&put.body) else {
            writer.broken(|| format!("{} is stored in a form that cannot be read", put.id));
            return false;
        };
        let state: State =
            put.state.as_deref().and_then(|state| serde_json::from_slice(state).ok()).unwrap_or_default();
        let notes = format!("{:?}", run.metadata);
        let (id, thread) = (put.id.clone(), run.thread_id.as_str().to_owned());
        let (ends, waits) = (run.status.is_terminal(), state.waiting.is_some());
        match self.runs.get_mut(&id) {
            None => {
                let facts = RunFacts {
                    run: run.clone(),
                    waits,
                    owner: writer.number(),
                    doubled: false,
                    usage: state.usage,
                    model_calls: state.model_calls,
                    counted: BTreeSet::new(),
                    steps: Vec::new(),
                    notes: vec![notes],
                };
                self.runs.insert(id.clone(), facts);
            }
            Some(facts) => {
                judge_run(writer, facts, &run, put.fence.is_some());
                if facts.notes.last() != Some(&notes) {
                    if facts.notes.contains(&notes) {
                        writer.broken(|| format!("the metadata of {id} goes back to {notes}"));
                    }
                    facts.notes.push(notes);
                }
                if put.fence.is_some() {
                    facts.owner = writer.number();
                }
                let before = std::mem::replace(&mut facts.usage, state.usage);
                (facts.model_calls, facts.waits) = (state.model_calls, waits);
                let was_over = facts.run.status.is_terminal();
                facts.run = run.clone();
                self.count_usage(writer, &id, before, state.usage);
                if was_over {
                    return false;
                }
            }
        }
        if ends {
            self.cancel_was_heard(writer, &run);
        }
        let holder = self.threads.entry(thread.clone()).or_default();
        match &holder.active {
            Some(other) if *other != id && !ends && !waits => {
                let other = other.clone();
                writer.broken(|| format!("{thread} has two active runs: {other} and {id}"));
            }
            Some(other) if *other == id && (ends || waits) => holder.active = None,
            None if !ends && !waits => holder.active = Some(id),
            _ => {}
        }
        ends
    }

    /// A run that is over leaves nothing open.
    fn all_closed(&self, writer: Writer<'_>, run: &str) {
        let steps = self.steps.values().filter(|facts| facts.step.run_id.as_str() == run);
        for facts in steps.filter(|facts| facts.step.status == RunStepStatus::InProgress) {
            writer.broken(|| format!("{run} is over, and its step {} is open", facts.step.id));
        }
        let of_run =
            |message: &&Message| message.run_id.as_ref().is_some_and(|writer| writer.as_str() == run);
        let messages = self.messages.values().filter(of_run);
        for message in messages.filter(|message| message.status == MessageStatus::InProgress) {
            writer.broken(|| format!("{run} is over, and its message {} is open", message.id));
        }
    }

    fn step(&mut self, writer: Writer<'_>, put: &Put, over: &BTreeSet<String>) {
        let Ok(step) = serde_json::from_slice::<RunStep>(&put.body) else {
            return writer.broken(|| format!("{} is stored in a form that cannot be read", put.id));
        };
        let state = put.state.as_deref().and_then(|state| serde_json::from_slice::<StepState>(state).ok());
        let server_calls = state.map(|state| state.calls).unwrap_or_default();
        let run = step.run_id.as_str().to_owned();
        let mut fills_in = false;
        match self.steps.get(&put.id) {
            Some(before) => {
                fills_in = before.step.status == step.status && before.server_calls == server_calls;
                judge_outputs(writer, before, &step, &server_calls);
                if before.step.status != RunStepStatus::InProgress && before.step.status != step.status {
                    writer.broken(|| {
                        format!("{} was {:?}, and is {:?} now", step.id, before.step.status, step.status)
                    });
                }
            }
            None => {
                if let Some(facts) = self.runs.get_mut(&run) {
                    facts.steps.push(put.id.clone());
                }
            }
        }
        // Outputs that come late are kept by whoever is given them.
        if !fills_in {
            self.judge_part(writer, &run, &put.id, over);
        }
        self.steps.insert(put.id.clone(), StepFacts { step, server_calls });
    }

    fn message(&mut self, writer: Writer<'_>, put: &Put, over: &BTreeSet<String>) {
        let Ok(message) = serde_json::from_slice::<Message>(&put.body) else {
            return writer.broken(|| format!("{} is stored in a form that cannot be read", put.id));
        };
        let before = self.messages.get(&put.id);
        if let Some(before) = before.filter(|before| before.status != MessageStatus::InProgress)
            && (&before.content, &before.status) != (&message.content, &message.status)
        {
            writer.broken(|| format!("{} was over and is written again", put.id));
        }
        if let Some(run) = &message.run_id
            && before
                .is_none_or(|before| (&before.content, &before.status) != (&message.content, &message.status))
        {
            self.judge_part(writer, run.as_str(), &put.id, over);
        }
        self.messages.insert(put.id.clone(), message);
    }

    /// What a run writes is written by who drives it, until it is over.
    fn judge_part(&self, writer: Writer<'_>, run: &str, part: &str, over: &BTreeSet<String>) {
        if over.contains(run) {
            writer.broken(|| format!("{part} is written after the end of {run}"));
        }
        let owner = self.runs.get(run).and_then(|facts| facts.owner);
        if let Some(process) = writer.process
            && owner != Some(process.number)
        {
            writer.broken(|| format!("{process:?} writes {part} of {run}, which is driven by {owner:?}"));
        }
    }
}

/// A status is announced once, in the commit that makes it true.
fn judge_notices(writer: Writer<'_>, batch: &Batch, moved: &[(String, String)]) {
    let notice = |operation: &Operation| match operation {
        Operation::Put(put) if put.kind == Kind::WebhookDelivery => {
            Some((put.parent.clone()?, String::from_utf8_lossy(&put.body).into_owned()))
        }
        _ => None,
    };
    let announced: Vec<_> = batch.operations.iter().filter_map(notice).collect();
    if announced != moved {
        writer.broken(|| format!("{announced:?} is announced of what is now {moved:?}"));
    }
}

fn judge_run(writer: Writer<'_>, facts: &RunFacts, now: &Run, claims: bool) {
    use RunStatus::{Cancelling, InProgress, Queued, RequiresAction};
    let (before, id) = (&facts.run, &now.id);
    if before.status.is_terminal() {
        let mut same = now.clone();
        same.metadata.clone_from(&before.metadata);
        if same != *before {
            writer.broken(|| format!("{id} was {} and is written again as {}", before.status, now.status));
        }
        return;
    }
    let legal = match (&before.status, &now.status) {
        (before, now) if before == now => true,
        (Queued, now) => !matches!(now, RequiresAction | RunStatus::Completed),
        (InProgress, now) => *now != Queued,
        (RequiresAction, now) => *now != RunStatus::Completed,
        (Cancelling, now) => now.is_terminal(),
        _ => false,
    };
    if !legal {
        writer.broken(|| format!("{id} was {}, and is {} now", before.status, now.status));
    }
    let asked_for = before.status == now.status || now.status == Cancelling;
    if let Some(process) = writer.process
        && !claims
        && !asked_for
        && facts.owner != Some(process.number)
    {
        let owner = facts.owner;
        writer.broken(|| format!("{process:?} moves {id}, which is driven by {owner:?}, to {}", now.status));
    }
}

/// An output that is there stays as it is.
fn judge_outputs(writer: Writer<'_>, before: &StepFacts, step: &RunStep, server_calls: &[ServerCall]) {
    for (call, output) in outputs(&before.step) {
        let now = outputs(step).find(|(other, _)| *other == call).and_then(|(_, now)| now);
        if output.is_some() && output != now {
            writer
                .broken(|| format!("the output of {call} in {} was {output:?}, and is {now:?} now", step.id));
        }
    }
    for call in before.server_calls.iter().filter(|call| call.output.is_some()) {
        let now = server_calls.iter().find(|other| other.id == call.id).and_then(|now| now.output.as_ref());
        if call.output.as_ref() != now {
            let (id, output) = (&call.id, &call.output);
            writer.broken(|| format!("the answer to {id} in {} was {output:?}, and is {now:?} now", step.id));
        }
    }
}

/// The calls of functions in a step, with their outputs.
pub(super) fn outputs(step: &RunStep) -> impl Iterator<Item = (&str, Option<&str>)> {
    let calls = match &step.step_details {
        StepDetails::ToolCalls { tool_calls } => tool_calls.as_slice(),
        _ => &[],
    };
    calls.iter().filter_map(|call| match call {
        ToolCallRecord::Function { id, function } => Some((id.as_str(), function.output.as_deref())),
        _ => None,
    })
}
