//! What the code that `#[tool]` writes calls: no part of the public API.

pub use async_trait::async_trait;
pub use ropewalk_types::Function;
pub use serde_json::Value;

pub use crate::{Tool, ToolContext, ToolError, parameters::Parameters, typed_call::TypedCall};
