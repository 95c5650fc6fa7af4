//! Bugs to plant.

/// A bug, as a replacement of text in a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// What it does.
    pub name: &'static str,
    /// The file, from the root of the workspace.
    pub file: &'static str,
    /// What is there, once.
    pub find: &'static str,
    /// What is there instead.
    pub replace: &'static str,
}

/// Bugs that the simulation has to find, one at a time.
pub const MUTATIONS: &[Mutation] = &[];
