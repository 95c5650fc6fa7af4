#![doc = include_str!("../README.md")]
#![cfg(target_os = "linux")]

mod cell;
mod control_group;
mod data_folder;
mod error;
mod filter;
mod frame;
mod launch;
mod layer;
mod message;
mod options;
mod plan;
mod printed;
mod sandbox;
mod session;
mod zygote;

pub use cell::{Cell, CellEnd, Output};
pub use data_folder::DataFolder;
pub use error::Error;
pub use layer::Layer;
pub use options::{Limits, SandboxOptions};
pub use sandbox::Sandbox;
pub use session::Session;
