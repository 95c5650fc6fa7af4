//! What clients were told, event by event.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use ropewalk_events::{Event, Frame};

use super::Ledger;
use crate::world::World;

/// An event that somebody was told.
#[derive(Debug)]
pub(super) struct Told {
    name: String,
    hash: u64,
}

impl Ledger {
    /// Somebody reads event `number` of a run: it is the same for all.
    pub(crate) fn told_frame(&mut self, world: &World, run: &str, number: u64, frame: &Frame) {
        // With its fixed keys, the hash is the same in each process.
        let mut hasher = DefaultHasher::new();
        frame.data.as_str().hash(&mut hasher);
        let told = Told { name: frame.event.as_str().to_owned(), hash: hasher.finish() };
        match self.frames.get(&(run.to_owned(), number)) {
            Some(before) if before.hash != told.hash => {
                world.broken(format!(
                    "event {number} of {run} was {}, and is another {}",
                    before.name, told.name
                ));
            }
            Some(_) => {}
            None => drop(self.frames.insert((run.to_owned(), number), told)),
        }
    }

    /// The highest number of an event of the run that anybody was told; 0 if there is none.
    pub(crate) fn last_told(&self, run: &str) -> u64 {
        let of_run = (run.to_owned(), 0)..=(run.to_owned(), u64::MAX);
        self.frames.range(of_run).next_back().map_or(0, |((_, number), _)| *number)
    }

    /// How often a run went from one driver to another without an end between.
    pub(crate) fn takeovers(&self, run: &str) -> u64 {
        self.takeovers.get(run).copied().unwrap_or_default()
    }

    /// Whether a client may be told that there is no more of the run.
    pub(crate) fn is_doomed(&self, thread: &str) -> bool {
        self.doomed.contains(thread)
    }

    /// All runs that are there, with their threads.
    pub(crate) fn all_runs(&self) -> Vec<(String, String)> {
        self.runs.iter().map(|(id, facts)| (id.clone(), facts.run.thread_id.to_string())).collect()
    }

    /// Judges `journal`, all events of a run as they can be read at the end, by their numbers: what anybody was told is
    /// there, but for what a death may take: what was not stored yet, or not synced.
    pub(crate) fn judge_journal(&self, world: &World, run: &str, journal: &[(u64, Event)]) {
        let of_run = (run.to_owned(), 0)..=(run.to_owned(), u64::MAX);
        for ((_, number), told) in self.frames.range(of_run) {
            if journal.binary_search_by_key(number, |(number, _)| *number).is_ok() {
                continue;
            }
            let deltas_may_go = told.name.ends_with(".delta") && self.takeovers(run) > 0;
            let begins = told.name.ends_with(".created") || told.name.ends_with(".in_progress");
            let of_part = !told.name.starts_with("thread.run.") || told.name.starts_with("thread.run.step.");
            let begins_may_go = begins && of_part && world.power_losses() > 0;
            if !deltas_may_go && !begins_may_go {
                world.broken(format!(
                    "a client was told {} as event {number} of {run}, which is gone",
                    told.name
                ));
            }
        }
        for event in journal.iter().map(|(_, event)| event) {
            let Some(message) = event.as_message() else { continue };
            let stored = self.messages.get(message.id.as_str());
            let over = matches!(event, Event::MessageCompleted(_) | Event::MessageIncomplete(_));
            if over && stored.is_none_or(|stored| stored.content != message.content) {
                world.broken(format!(
                    "{} ends in the journal of {run} as {message:?}, and is {stored:?}",
                    message.id
                ));
            }
        }
    }
}
