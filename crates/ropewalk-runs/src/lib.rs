#![doc = include_str!("../README.md")]

#[cfg(feature = "engine")]
mod clock;
#[cfg(feature = "engine")]
mod conversation;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod error;
#[cfg(feature = "engine")]
mod execution;
#[cfg(feature = "engine")]
mod feed;
#[cfg(feature = "engine")]
mod live;
#[cfg(feature = "engine")]
mod machine;
#[cfg(feature = "engine")]
pub mod record;
#[cfg(feature = "engine")]
mod run_stream;
#[cfg(feature = "driver")]
mod tool_driver;
#[cfg(feature = "engine")]
mod worker;

#[cfg(feature = "engine")]
pub use clock::{Clock, SystemClock};
#[cfg(feature = "engine")]
pub use conversation::{BUILT_IN_TOOLS, model_request};
#[cfg(feature = "engine")]
pub use engine::{Engine, EngineOptions, NewRun, Started};
#[cfg(feature = "engine")]
pub use error::RunError;
#[cfg(feature = "engine")]
pub use machine::{Change, Context, Effects, Failure, Input, Machine, Next, RunState};
#[cfg(feature = "engine")]
pub use run_stream::RunStream;
#[cfg(all(feature = "driver", feature = "testing"))]
pub use tool_driver::MockRunApi;
#[cfg(feature = "driver")]
pub use tool_driver::{RunApi, ToolDriver};
