use std::{fmt, marker::PhantomData};

use async_trait::async_trait;
use ropewalk_types::Function;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Tool, ToolContext, ToolError, error::BoxError, read::read, strict::strict_form};

/// Makes a tool from a closure, which may share state with the rest of the program.
///
/// The properties of `A` are the arguments: a struct that derives `Deserialize` and `JsonSchema`, each field with a
/// doc comment for the model. If `A` has no strict form, [`Registry::add`](crate::Registry::add) says so.
///
/// ```
/// # use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// # use ropewalk_tools::{Registry, ToolError, tool_fn};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Step {
///     /// How far to count.
///     by: u64,
/// }
///
/// let counter = Arc::new(AtomicU64::new(0));
/// let count = tool_fn("count", "Counts up and says how far it got.", move |step: Step, _| {
///     let before = counter.fetch_add(step.by, Ordering::Relaxed);
///     async move { Ok::<_, ToolError>(before + step.by) }
/// });
/// let registry = Registry::new().add(count)?;
/// # Ok::<(), ropewalk_tools::RegistryError>(())
/// ```
pub fn tool_fn<A, T, E, F, Fut>(name: impl Into<String>, description: impl Into<String>, run: F) -> impl Tool
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    T: Serialize + 'static,
    E: Into<BoxError> + 'static,
    F: Fn(A, ToolContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let definition = Function {
        strict: Some(true),
        ..Function::new(name).description(description).parameters(strict_form::<A>())
    };
    ToolFn { definition, run, arguments: PhantomData }
}

/// A tool made from a closure.
struct ToolFn<A, F> {
    definition: Function,
    run: F,
    arguments: PhantomData<fn(A)>,
}

impl<A, F> fmt::Debug for ToolFn<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolFn").field("name", &self.definition.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<A, T, E, F, Fut> Tool for ToolFn<A, F>
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize,
    E: Into<BoxError>,
    F: Fn(A, ToolContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
{
    fn definition(&self) -> Function {
        self.definition.clone()
    }

    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<Value, ToolError> {
        let arguments = read(&arguments).map_err(|error| format!("arguments: {error}"))?;
        let result = (self.run)(arguments, context.clone()).await;
        serde_json::to_value(result.map_err(ToolError::new)?).map_err(ToolError::new)
    }
}
