#![doc = include_str!("../README.md")]

mod backend;
mod cell;
#[cfg(target_os = "linux")]
mod channels;
#[cfg(target_os = "linux")]
mod control_group;
#[cfg(target_os = "linux")]
mod data_folder;
#[cfg(target_os = "linux")]
mod data_listing;
#[cfg(target_os = "linux")]
mod data_path;
mod environment;
mod error;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod frame;
#[cfg(target_os = "linux")]
mod launch;
mod layer;
#[cfg(target_os = "linux")]
mod lazy;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod modules;
mod options;
#[cfg(target_os = "linux")]
mod plan;
mod pool;
#[cfg(target_os = "linux")]
mod printed;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod running_cell;
#[cfg(target_os = "linux")]
mod runsc;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(target_os = "linux")]
mod session;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(target_os = "linux")]
mod zygote;

pub use backend::{Backend, CellEvent, Content, DataFile, Interpreter};
pub use cell::{CellEnd, Output};
#[cfg(target_os = "linux")]
pub use data_folder::DataFolder;
pub use environment::{Environment, Progress, SetUp};
pub use error::Error;
pub use layer::Layer;
#[cfg(target_os = "linux")]
pub use lazy::LazySandbox;
pub use options::{Limits, SandboxOptions};
pub use pool::{Lease, PoolOptions, SessionPool};
#[cfg(target_os = "linux")]
pub use running_cell::Cell;
#[cfg(target_os = "linux")]
pub use runsc::{Runsc, RunscOptions};
#[cfg(target_os = "linux")]
pub use sandbox::{Finding, Outcome, Sandbox};
#[cfg(target_os = "linux")]
pub use session::Session;
