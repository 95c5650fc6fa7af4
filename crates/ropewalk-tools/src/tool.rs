use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use ropewalk_types::Function;
use serde_json::Value;

use crate::{ToolContext, ToolError};

/// A function that a model can call.
///
/// Most tools are made by [`tool`](macro@crate::tool), or by [`tool_fn`](crate::tool_fn) when they share state;
/// implement it by hand for a tool whose definition comes from elsewhere.
///
/// # Contract
///
/// - **Steady:** the definition is the same every time; a [`Registry`](crate::Registry) reads it once.
/// - **Side by side:** calls run at the same time, of one tool too.
/// - **Cancel-safe:** a call's future is dropped when its time is up.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Tool: Debug + Send + Sync + 'static {
    /// What the model is told: name, description, schema of the arguments.
    ///
    /// With `strict: Some(true)` the schema must be in strict form, else any schema of an object will do.
    fn definition(&self) -> Function;

    /// Runs the function; a registry has checked `arguments` against the definition before.
    ///
    /// In strict form `null` and a missing key say the same: the default.
    ///
    /// # Errors
    ///
    /// Whatever keeps the function from an answer. The model reads the message and may try again.
    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<Value, ToolError>;
}

#[async_trait]
impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn definition(&self) -> Function {
        (**self).definition()
    }

    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<Value, ToolError> {
        (**self).call(arguments, context).await
    }
}
