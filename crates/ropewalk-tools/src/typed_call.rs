use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{ToolContext, ToolError, error::BoxError, read::read};

/// One call of a `#[tool]` function: JSON on the outside, types on the inside.
pub struct TypedCall<'a> {
    arguments: Value,
    context: &'a ToolContext,
}

impl<'a> TypedCall<'a> {
    /// A call with the object `arguments`.
    pub fn new(arguments: Value, context: &'a ToolContext) -> Self {
        Self { arguments, context }
    }

    /// The argument `name`; one that is missing is read as `null`.
    ///
    /// # Errors
    ///
    /// If it is no `T`, with its path.
    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> Result<T, ToolError> {
        let value = self.arguments.get(name).unwrap_or(&Value::Null);
        read(value).map_err(|error| format!("argument `{name}`: {error}").into())
    }

    /// Where the call comes from.
    pub fn context(&self) -> ToolContext {
        self.context.clone()
    }

    /// The answer of a function that cannot fail.
    ///
    /// # Errors
    ///
    /// If `value` has no JSON form.
    pub fn value<T: Serialize>(&self, value: T) -> Result<Value, ToolError> {
        serde_json::to_value(value).map_err(ToolError::new)
    }

    /// The answer of a function that can fail.
    ///
    /// # Errors
    ///
    /// If it failed, or its value has no JSON form.
    pub fn result<T: Serialize>(&self, result: Result<T, impl Into<BoxError>>) -> Result<Value, ToolError> {
        self.value(result.map_err(ToolError::new)?)
    }
}
