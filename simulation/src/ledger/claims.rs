//! Who may take a run from whom, and how soon somebody has to.

use ropewalk_store::{Document, Organization};
use ropewalk_types::RunStatus;

use super::Ledger;
use crate::process::Process;

/// A run whose owner died goes on within this time, in milliseconds.
const RECOVERY: u64 = 5_000;

impl Ledger {
    /// A process has taken runs over.
    pub(crate) fn claimed(&mut self, process: &Process, claimed: &[(Organization, Document)]) {
        let world = &process.world;
        let now = world.clock.elapsed_ms();
        let weather = &world.weather;
        // In other weather a worker may be kept from renewing its leases, or its caller go away before it begins.
        let fair = weather.store_is_sound() && weather.jumps + weather.impatient == 0;
        for (_, document) in claimed {
            let Some(facts) = self.runs.get_mut(&document.id) else { continue };
            *self.takeovers.entry(document.id.clone()).or_default() += 1;
            let before = facts.owner.replace(process.number);
            facts.doubled |= before == Some(process.number) && facts.run.status != RunStatus::RequiresAction;
            let at_work = matches!(facts.run.status, RunStatus::Queued | RunStatus::InProgress);
            let Some(owner) = before.and_then(|number| world.process(number)) else { continue };
            if !fair || !at_work {
                continue;
            }
            match owner.died_ms() {
                None if owner.is_leaving() => {}
                None => {
                    world.broken(format!("{process:?} takes {} from {owner:?}, which lives", document.id))
                }
                Some(died) if now > died.max(process.born_ms) + RECOVERY => {
                    world.broken(format!("{} was left alone for {} ms", document.id, now - died));
                }
                Some(_) => {}
            }
        }
    }
}
