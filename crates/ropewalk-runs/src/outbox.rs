//! What others store together with a change of a run's status.

use std::fmt;

use ropewalk_store::{Organization, Put};
use ropewalk_types::Run;

/// Hears of each status of a run in the commit that makes it true: what it wants stored then is stored with it or
/// not at all.
///
/// A commit may be tried again after a failure, so the same status can be asked about twice; one of the answers is
/// stored.
pub trait Outbox: fmt::Debug + Send + Sync {
    /// What to store with `run`, whose status is about to change to the one it has. Must be quick: it stands in the
    /// way of the run.
    fn on_status(&self, organization: &Organization, run: &Run) -> Vec<Put>;

    /// What it gave was stored.
    fn committed(&self);
}
