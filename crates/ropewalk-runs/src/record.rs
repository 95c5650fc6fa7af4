//! How objects lie in the store: what each `put_…` gives is the wire form plus the columns that order, find and
//! lock it.

use std::collections::HashMap;

use bytes::Bytes;
use ropewalk_store::{Batch, Document, Expect, Kind, ListRequest, Put, Scope, StoreError};
use ropewalk_types::{
    Assistant, Message, MessageStatus, Order, Run, RunId, RunStatus, RunStep, RunStepInclude, StepDetails,
    Thread, ThreadId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::machine::{Change, Machine, RunState, ServerCall, ServerCalls};

const PAGE: usize = 100;

/// The lock that an active run holds: one a thread.
pub fn thread_lock(thread: &ThreadId) -> &str {
    thread.as_str()
}

/// What the names of all counters begin with that belong to a thread: to be dropped with it.
pub fn thread_counters(thread: &ThreadId) -> String {
    format!("thread/{thread}/")
}

/// An object's wire form, as it is stored and sent.
pub(crate) fn wire(value: &impl Serialize) -> Bytes {
    // Our types have string keys and finite numbers: writing them cannot fail.
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

/// An assistant, ready to be stored.
pub fn put_assistant(assistant: &Assistant) -> Put {
    Put::new(Kind::Assistant, assistant.id.as_str(), assistant.created_at.0, wire(assistant))
}

/// A thread, ready to be stored.
pub fn put_thread(thread: &Thread) -> Put {
    Put::new(Kind::Thread, thread.id.as_str(), thread.created_at.0, wire(thread))
}

/// A message, ready to be stored: below its thread, and found by its run.
pub fn put_message(message: &Message) -> Put {
    let put = Put::new(Kind::Message, message.id.as_str(), message.created_at.0, wire(message))
        .parent(message.thread_id.as_str());
    match &message.run_id {
        Some(run) => put.tag(run.as_str()),
        None => put,
    }
}

/// What is kept of a step beside its wire form.
#[derive(Debug, Serialize, Deserialize)]
struct StepState {
    /// Its calls of tools of the server.
    calls: Vec<ServerCall>,
    /// Its details with what is sent only to those who ask for it.
    details: StepDetails,
}

fn put_step(step: &RunStep, calls: &[ServerCall]) -> Put {
    let put = |body: Bytes| {
        Put::new(Kind::RunStep, step.id.as_str(), step.created_at.0, body).parent(step.run_id.as_str())
    };
    let mut stripped = step.clone();
    stripped.strip();
    if calls.is_empty() && stripped == *step {
        return put(wire(step));
    }
    put(wire(&stripped)).state(wire(&StepState { calls: calls.to_vec(), details: step.step_details.clone() }))
}

/// A step of a run that is over, ready to be stored: passages that it holds are kept for those who ask for them.
pub fn put_finished_step(step: &RunStep) -> Put {
    put_step(step, &[])
}

/// A stored step as it goes over the wire, with what `include` asks for.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if the document is no step.
pub fn step_json(document: &Document, include: &[RunStepInclude]) -> Result<Bytes, StoreError> {
    match document.decode_state::<StepState>()? {
        Some(state) if include.contains(&RunStepInclude::SearchContent) => {
            let mut step: RunStep = document.decode()?;
            step.step_details = state.details;
            Ok(wire(&step))
        }
        _ => Ok(document.body.clone()),
    }
}

/// A run that is over, ready to be stored: nobody drives it, and it holds no lock.
pub fn put_finished_run(run: &Run) -> Put {
    put_run(run, &RunState::default(), None)
}

/// A run, ready to be stored: it holds its thread's lock until it is over, unless it waits for that. Its assistant is
/// its tag, to find threads by.
pub(crate) fn put_run(run: &Run, state: &RunState, due_at: Option<i64>) -> Put {
    let put = Put::new(Kind::Run, run.id.as_str(), run.created_at.0, wire(run))
        .parent(run.thread_id.as_str())
        .tag(run.assistant_id.as_str())
        .state(wire(state));
    let put = match due_at {
        // That is its deadline.
        Some(due_at) if run.status == RunStatus::RequiresAction => put.due_at(due_at),
        Some(due_at) => put.lease_until(due_at),
        None => put,
    };
    let locks = !run.status.is_terminal() && state.waiting.is_none();
    if locks { put.lock(thread_lock(&run.thread_id)) } else { put }
}

/// The versions of the objects that one execution writes.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pub(crate) run: u64,
    objects: HashMap<String, u64>,
}

impl Versions {
    pub(crate) fn new(run: u64) -> Self {
        Self { run, objects: HashMap::new() }
    }

    pub(crate) fn saw(&mut self, document: &Document) {
        self.objects.insert(document.id.clone(), document.version);
    }

    /// Never writes the object again: somebody deleted it.
    pub(crate) fn forget(&mut self, id: &str) {
        self.objects.insert(id.to_owned(), u64::MAX);
    }

    /// Adds `changes` that `machine` just made to `batch`, the newest of each object.
    pub(crate) fn put(&self, machine: &Machine, changes: &[Change], mut batch: Batch) -> Batch {
        for (position, change) in changes.iter().enumerate() {
            let id = change.id();
            if changes[position + 1..].iter().any(|later| later.id() == id) {
                continue;
            }
            let expect = match self.objects.get(id) {
                None => Expect::Absent,
                Some(&u64::MAX) => continue,
                Some(version) => Expect::Version(*version),
            };
            let put = match change {
                Change::Step(step) => put_step(step, machine.server_calls().of(&step.id)),
                Change::Message(message) => put_message(message),
            };
            batch = batch.put(put.expect(expect));
        }
        batch
    }

    /// Counts on what [`Versions::put`] wrote.
    pub(crate) fn committed(&mut self, changes: &[Change]) {
        for (position, change) in changes.iter().enumerate() {
            if changes[position + 1..].iter().all(|later| later.id() != change.id()) {
                let version = self.objects.entry(change.id().to_owned()).or_default();
                *version = version.saturating_add(1);
            }
        }
    }
}

/// Gets one object and reads it.
pub(crate) async fn get<T: DeserializeOwned>(
    scope: &Scope,
    kind: Kind,
    id: &str,
) -> Result<Option<(T, Document)>, StoreError> {
    let Some(document) = scope.get(kind, id).await? else { return Ok(None) };
    Ok(Some((document.decode()?, document)))
}

/// A machine as the store has it, with the versions it was read at.
pub(crate) async fn restore(scope: &Scope, document: &Document) -> Result<(Machine, Versions), StoreError> {
    let run: Run = document.decode()?;
    let state = document.decode_state()?.unwrap_or_default();
    let mut versions = Versions::new(document.version);
    let (mut steps, mut calls) = (Vec::new(), ServerCalls::new());
    for document in steps_of(scope, &run.id).await? {
        let mut step: RunStep = document.decode()?;
        if let Some(state) = document.decode_state::<StepState>()? {
            step.step_details = state.details;
            calls.insert(step.id.clone(), state.calls);
        }
        steps.push(step);
        versions.saw(&document);
    }
    let mut message = None;
    for document in open_messages(scope, &run).await? {
        versions.saw(&document);
        message = Some(document.decode()?);
    }
    Ok((Machine::restore(run, steps, calls, message, state), versions))
}

async fn steps_of(scope: &Scope, run: &RunId) -> Result<Vec<Document>, StoreError> {
    let mut steps: Vec<Document> = Vec::new();
    loop {
        let page = scope
            .list(&ListRequest {
                parent: Some(run.as_str().to_owned()),
                limit: PAGE,
                order: Order::Asc,
                after: steps.last().map(|step| step.id.clone()),
                ..ListRequest::new(Kind::RunStep)
            })
            .await?;
        steps.extend(page.documents);
        if !page.has_more {
            return Ok(steps);
        }
    }
}

/// The message that the run was writing, if there is one: the newest of its own.
async fn open_messages(scope: &Scope, run: &Run) -> Result<Vec<Document>, StoreError> {
    let newest = ListRequest::new(Kind::Message).parent(run.thread_id.as_str()).tag(run.id.as_str()).limit(1);
    let mut open = scope.list(&newest).await?.documents;
    open.retain(|document| {
        document.decode::<Message>().is_ok_and(|message| message.status == MessageStatus::InProgress)
    });
    Ok(open)
}
