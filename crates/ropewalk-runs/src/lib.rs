#![doc = include_str!("../README.md")]

#[cfg(feature = "engine")]
mod admission;
#[cfg(feature = "engine")]
mod afford;
#[cfg(feature = "engine")]
mod budget;
#[cfg(feature = "engine")]
mod busy;
#[cfg(feature = "engine")]
mod call_watch;
#[cfg(feature = "engine")]
mod citation;
#[cfg(feature = "engine")]
mod code_input;
#[cfg(feature = "engine")]
mod conversation;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod error;
#[cfg(feature = "engine")]
mod event_log;
#[cfg(feature = "engine")]
mod execution;
#[cfg(feature = "engine")]
mod file_path;
#[cfg(feature = "engine")]
mod history;
#[cfg(feature = "engine")]
mod images;
#[cfg(feature = "engine")]
mod join;
#[cfg(feature = "engine")]
mod journal;
#[cfg(feature = "engine")]
mod line;
#[cfg(feature = "engine")]
mod live;
#[cfg(feature = "engine")]
mod machine;
#[cfg(feature = "engine")]
mod measures;
#[cfg(feature = "engine")]
mod meter;
#[cfg(feature = "engine")]
mod model_call;
#[cfg(feature = "engine")]
mod new_run;
#[cfg(feature = "engine")]
mod outbox;
#[cfg(feature = "engine")]
mod prompt;
#[cfg(feature = "engine")]
pub mod record;
#[cfg(feature = "engine")]
mod run_stream;
#[cfg(feature = "engine")]
mod seat;
#[cfg(feature = "engine")]
mod server_tool;
#[cfg(feature = "engine")]
mod tool_calls;
#[cfg(feature = "driver")]
mod tool_driver;
#[cfg(feature = "engine")]
mod trace;
#[cfg(feature = "engine")]
mod trace_parent;
#[cfg(feature = "engine")]
mod waiting;
#[cfg(feature = "engine")]
mod watch;
#[cfg(feature = "engine")]
mod worker;

#[cfg(feature = "engine")]
pub use busy::{BusyPolicy, UnknownBusyPolicy};
#[cfg(feature = "engine")]
pub use engine::{Engine, EngineOptions};
#[cfg(feature = "engine")]
pub use error::RunError;
#[cfg(feature = "engine")]
pub use file_path::WrittenFile;
#[cfg(feature = "engine")]
pub use images::{FileSource, Image, NoImage};
#[cfg(feature = "engine")]
pub use machine::{
    Change, Context, Effects, Failure, Input, Machine, Next, RunState, ServerCall, ServerCalls,
};
#[cfg(feature = "engine")]
pub use measures::describe_metrics;
#[cfg(feature = "engine")]
pub use meter::Meter;
#[cfg(feature = "engine")]
pub use new_run::{NewRun, Started};
#[cfg(feature = "engine")]
pub use outbox::Outbox;
#[cfg(feature = "engine")]
pub use ropewalk_store::{Clock, SystemClock};
#[cfg(feature = "engine")]
pub use run_stream::RunStream;
#[cfg(feature = "engine")]
pub use server_tool::{
    BuiltInTool, ServerTool, ToolAnswer, ToolCallContext, ToolError, ToolProgress, ToolRecord,
};
#[cfg(all(feature = "driver", feature = "testing"))]
pub use tool_driver::MockRunApi;
#[cfg(feature = "driver")]
pub use tool_driver::{RunApi, ToolDriver};
#[cfg(feature = "engine")]
pub use trace_parent::{NoTraceParent, TraceParent};
