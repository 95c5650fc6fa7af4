#![doc = include_str!("../README.md")]

mod client;
mod clock;
mod disasters;
mod disk;
mod faulty_model;
mod faulty_store;
mod faulty_tool;
mod follower;
mod ledger;
mod mutation;
mod process;
mod random;
mod reader;
mod simulate;
mod trace;
mod weather;
mod world;

pub use mutation::{MUTATIONS, Mutation};
pub use simulate::{Outcome, simulate};
