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
mod notices;
mod process;
mod random;
mod reader;
mod simulate;
mod trace;
mod weather;
mod world;

pub use simulate::{Outcome, simulate};
