use std::fmt::Debug;

use ropewalk_store::Organization;

/// Is told what the model calls of runs use, at the end of each.
pub trait Meter: Debug + Send + Sync + 'static {
    /// `tokens`, of the prompt and the answer, were used on behalf of `organization`, by a run that was made with
    /// `key`, if it is known with which.
    fn used(&self, organization: &Organization, key: Option<&str>, tokens: u64);
}
