#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod __private;
mod argument_check;
mod call_error;
mod context;
mod error;
mod near_json;
mod parameters;
mod read;
mod registry;
mod strict;
mod strict_check;
mod tool;
mod tool_fn;
mod typed_call;

pub use context::ToolContext;
pub use error::{RegistryError, SchemaError, ToolError};
pub use registry::Registry;
#[doc(hidden)]
pub use ropewalk_tools_macros::facade_tool;
pub use ropewalk_tools_macros::tool;
pub use strict::strict_schema;
#[cfg(feature = "testing")]
pub use tool::MockTool;
pub use tool::Tool;
pub use tool_fn::tool_fn;
