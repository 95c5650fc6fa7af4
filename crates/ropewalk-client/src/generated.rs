// Written by `cargo xtask codegen`; do not edit.

mod assistants;
mod messages;
mod models;
mod run_steps;
mod runs;
mod threads;

pub use assistants::Assistants;
pub use messages::Messages;
pub use models::Models;
pub use run_steps::RunSteps;
pub use runs::Runs;
pub use threads::Threads;
