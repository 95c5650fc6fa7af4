//! Records what SQLite asks of the disk, and makes the disks that a loss of power may leave: for tests.
//!
//! [`Recording::start`] puts itself between SQLite and the system for one folder, for all connections of the process.
//! [`Recording::cut`] then builds the folder as it may be when the power goes after any of the recorded steps: what was
//! synced is there, and of the rest any part in any order.
#![cfg(unix)]

mod disk;
mod recording;
mod vfs;

pub use disk::Syncs;
pub use recording::Recording;
