//! What it takes to write tools by hand, and to drive runs of your own: `ropewalk-tools` and the driver of
//! `ropewalk-runs`, by their own names.

#[cfg(feature = "testing")]
pub use ropewalk_runs::MockRunApi;
pub use ropewalk_runs::{RunApi, ToolDriver};
#[cfg(feature = "testing")]
pub use ropewalk_tools::MockTool;
pub use ropewalk_tools::{
    Registry, RegistryError, SchemaError, Tool, ToolContext, ToolError, strict_schema, tool_fn,
};
