//! How objects lie in the store: what each `put_…` gives is the wire form plus the columns that order, find and
//! lock it.

use std::collections::HashMap;

use bytes::Bytes;
use ropewalk_store::{Batch, Document, Expect, Kind, ListRequest, Put, Scope, StoreError};
use ropewalk_types::{Assistant, Message, MessageStatus, Order, Run, RunId, RunStep, Thread, ThreadId};
use serde::{Serialize, de::DeserializeOwned};

use crate::machine::{Change, Machine, RunState};

/// Messages of a thread that a run loads at most; older ones are out of the model's sight.
const MAX_HISTORY: usize = 1000;
const PAGE: usize = 100;

/// The lock that an active run holds: one a thread.
pub fn thread_lock(thread: &ThreadId) -> &str {
    thread.as_str()
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

fn put_step(step: &RunStep) -> Put {
    Put::new(Kind::RunStep, step.id.as_str(), step.created_at.0, wire(step)).parent(step.run_id.as_str())
}

/// A run, ready to be stored: it holds its thread's lock until it is over.
pub(crate) fn put_run(run: &Run, state: &RunState, due_at: Option<i64>) -> Put {
    let put = Put::new(Kind::Run, run.id.as_str(), run.created_at.0, wire(run))
        .parent(run.thread_id.as_str())
        .state(wire(state));
    let put = match due_at {
        Some(due_at) => put.due_at(due_at),
        None => put,
    };
    if run.status.is_terminal() { put } else { put.lock(thread_lock(&run.thread_id)) }
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

    /// Adds `changes` to `batch`, the newest of each object.
    pub(crate) fn put(&self, changes: &[Change], mut batch: Batch) -> Batch {
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
                Change::Step(step) => put_step(step),
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
    let mut steps = Vec::new();
    for document in steps_of(scope, &run.id).await? {
        steps.push(document.decode()?);
        versions.saw(&document);
    }
    let mut message = None;
    for document in open_messages(scope, &run).await? {
        versions.saw(&document);
        message = Some(document.decode()?);
    }
    Ok((Machine::restore(run, steps, message, state), versions))
}

async fn steps_of(scope: &Scope, run: &RunId) -> Result<Vec<Document>, StoreError> {
    let mut steps: Vec<Document> = Vec::new();
    loop {
        let page = scope
            .list(&ListRequest {
                kind: Kind::RunStep,
                parent: Some(run.as_str().to_owned()),
                tag: None,
                limit: PAGE,
                order: Order::Asc,
                after: steps.last().map(|step| step.id.clone()),
                before: None,
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
    let newest = ListRequest {
        kind: Kind::Message,
        parent: Some(run.thread_id.as_str().to_owned()),
        tag: Some(run.id.as_str().to_owned()),
        limit: 1,
        order: Order::Desc,
        after: None,
        before: None,
    };
    let mut open = scope.list(&newest).await?.documents;
    open.retain(|document| {
        document.decode::<Message>().is_ok_and(|message| message.status == MessageStatus::InProgress)
    });
    Ok(open)
}

/// The newest messages of a thread, oldest first.
pub(crate) async fn history(scope: &Scope, thread: &ThreadId) -> Result<Vec<Message>, StoreError> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let page = scope
            .list(&ListRequest {
                kind: Kind::Message,
                parent: Some(thread.as_str().to_owned()),
                tag: None,
                limit: PAGE,
                order: Order::Desc,
                after: messages.last().map(|message| message.id.as_str().to_owned()),
                before: None,
            })
            .await?;
        for document in &page.documents {
            messages.push(document.decode()?);
        }
        if !page.has_more || messages.len() >= MAX_HISTORY {
            messages.reverse();
            return Ok(messages);
        }
    }
}
