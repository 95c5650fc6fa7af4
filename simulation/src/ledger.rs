//! What really happened, as an onlooker sees it who misses nothing: the rules are checked here.
//!
//! Each write is looked at as it reaches the disk, together with who wrote it; each call of the model and of a tool as
//! it begins; each event as a client reads it. What the onlooker knows of the store is what the writes said, and is
//! rebuilt from those that are left when the power was lost.

mod claims;
mod final_account;
mod frames;
mod model_calls;
mod promises;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use model_calls::Call;
use ropewalk_store::{Batch, Kind, Operation};
use ropewalk_types::{Message, Run, RunStatus, RunStep, Usage};

use crate::{disk::Write, process::Process, world::World};

/// All that the onlooker knows.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    threads: BTreeMap<String, ThreadFacts>,
    runs: BTreeMap<String, RunFacts>,
    steps: BTreeMap<String, StepFacts>,
    messages: BTreeMap<String, Message>,
    /// Every body that an object ever had in the store.
    bodies: HashMap<String, Vec<Bytes>>,
    calls: Vec<Call>,
    promises: promises::Promises,
    /// When the end of a run was first tried to be stored, by run and status.
    ends_tried: BTreeMap<(String, String), u64>,
    /// How often each run was taken over.
    takeovers: BTreeMap<String, u64>,
    /// What clients were told, by run and number.
    frames: BTreeMap<(String, u64), frames::Told>,
    /// Threads that somebody wants to be gone: nothing is promised of them any more.
    doomed: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct ThreadFacts {
    /// The run that holds it.
    active: Option<String>,
}

#[derive(Debug)]
struct RunFacts {
    run: Run,
    waits: bool,
    /// The number of the process that drives it; unknown once the power was lost.
    owner: Option<usize>,
    /// A process took it from itself: what it does may be that of either driver.
    doubled: bool,
    usage: Usage,
    model_calls: u64,
    /// The model calls whose usage is counted.
    counted: BTreeSet<usize>,
    /// In order.
    steps: Vec<String>,
    /// Each metadata that it had, in order.
    notes: Vec<String>,
}

#[derive(Debug)]
struct StepFacts {
    step: RunStep,
    /// Calls of tools of the server, with their answers.
    server_calls: Vec<ropewalk_runs::ServerCall>,
}

/// Who wrote, and whether it is judged.
#[derive(Debug, Clone, Copy)]
struct Writer<'a> {
    world: &'a World,
    /// None if the write is only read again.
    process: Option<&'a Process>,
}

impl Writer<'_> {
    fn broken(&self, rule: impl FnOnce() -> String) {
        if self.process.is_some() {
            self.world.broken(rule());
        }
    }

    fn number(&self) -> Option<usize> {
        self.process.map(|process| process.number)
    }
}

impl Ledger {
    /// A process asks for a commit; it may come to nothing.
    pub(crate) fn tried(&mut self, process: &Process, batch: &Batch) {
        for operation in &batch.operations {
            match operation {
                Operation::Put(put) if put.kind == Kind::Run => {
                    if let Ok(run) = serde_json::from_slice::<Run>(&put.body)
                        && run.status.is_terminal()
                    {
                        let end = (put.id.clone(), run.status.to_string());
                        self.ends_tried.entry(end).or_insert(process.world.clock.elapsed_ms());
                    }
                }
                Operation::DeleteTree(Kind::Thread, id) => {
                    self.doomed.insert(id.clone());
                }
                _ => {}
            }
        }
    }

    /// A commit has reached the disk.
    pub(crate) fn committed(&mut self, process: &Process, batch: &Batch) {
        self.read(Writer { world: &process.world, process: Some(process) }, batch);
    }

    /// The power was lost, and only these writes are left: what was promised must be among them.
    pub(crate) fn lost_power(&mut self, world: &World, left: &[Write]) {
        (self.threads, self.runs, self.steps, self.messages) = Default::default();
        for write in left {
            if let Write::Commit(_, batch) = write {
                self.read(Writer { world, process: None }, batch);
            }
        }
        self.keeps_promises(world);
    }

    fn is_zombie(&self, process: &Process, run: &str) -> bool {
        self.runs.get(run).is_none_or(|facts| facts.doubled || facts.owner != Some(process.number))
    }

    /// The runs that are not over, with their statuses.
    pub(crate) fn open_runs(&self) -> Vec<(String, RunStatus)> {
        let open = self.runs.iter().filter(|(_, facts)| !facts.run.status.is_terminal());
        open.map(|(id, facts)| (id.clone(), facts.run.status.clone())).collect()
    }

    /// The status of a run, as it is stored.
    pub(crate) fn status(&self, run: &str) -> Option<RunStatus> {
        self.runs.get(run).map(|facts| facts.run.status.clone())
    }
}
