use std::{any::Any, error::Error, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, stream};
use ropewalk_types::{Function, FunctionCall, ToolCall, ToolOutput};
use serde_json::Value;

use crate::{
    RegistryError, Tool, ToolContext, argument_check::ArgumentCheck, call_error::CallError,
    strict_check::check_strict,
};

/// Most bytes of arguments, and of a result, as JSON.
pub(crate) const MAX_BYTES: usize = 512 * 1024;

/// Most calls that [`Registry::call_all`] runs at once.
const MAX_AT_ONCE: usize = 16;

/// Most characters of a description.
const MAX_DESCRIPTION: usize = 1024;

/// A set of tools, ready to answer what a model asks for.
///
/// Cheap to clone: the tools are shared.
///
/// # Contract
///
/// - **Always an answer:** every call has an output, and the output is JSON: the result, or `{"error": "…"}` in words
///   that help the model to do better. A result that is a string is a JSON string, quotes included.
/// - **Checked first:** a tool sees no arguments that its schema does not allow. Text that is not quite JSON is mended
///   before; text that was cut off inside a value is not.
/// - **Bounded:** a call ends at its time-out; arguments and results have 512 KiB at most; a panic stays inside.
#[derive(Clone)]
pub struct Registry {
    tools: Vec<Arc<Registered>>,
    timeout: Duration,
}

/// A tool, and what was read off its definition.
struct Registered {
    tool: Box<dyn Tool>,
    function: Function,
    check: ArgumentCheck,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// No tools yet, and a minute for each call.
    pub fn new() -> Self {
        Self { tools: Vec::new(), timeout: Duration::from_secs(60) }
    }

    /// Gives each call this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds a tool.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] if the API would not take its name, description or schema, or if the name is taken. The
    /// registry is gone then; clone it before, to go on without the tool.
    #[expect(clippy::should_implement_trait, reason = "no one takes a registry for a number")]
    pub fn add(mut self, tool: impl Tool) -> Result<Self, RegistryError> {
        let function = tool.definition();
        let name = function.name.clone();
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_good) {
            return Err(RegistryError::Name(name));
        }
        if self.find(&name).is_some() {
            return Err(RegistryError::Duplicate(name));
        }
        let characters = function.description.as_ref().map_or(0, |description| description.chars().count());
        if characters > MAX_DESCRIPTION {
            return Err(RegistryError::Description { tool: name, characters });
        }
        if let (Some(true), Some(schema)) = (function.strict, &function.parameters) {
            check_strict(schema).map_err(|source| RegistryError::NotStrict { tool: name.clone(), source })?;
        }
        let check =
            ArgumentCheck::new(&function).map_err(|source| RegistryError::Schema { tool: name, source })?;
        self.tools.push(Arc::new(Registered { tool: Box::new(tool), function, check }));
        Ok(self)
    }

    /// The tools as a request wants them, in the order they were added.
    pub fn definitions(&self) -> Vec<ropewalk_types::Tool> {
        self.tools.iter().map(|tool| ropewalk_types::Tool::function(tool.function.clone())).collect()
    }

    /// The names of the tools, in the order they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| tool.function.name.as_str())
    }

    /// Answers one call.
    ///
    /// Runs on the caller's task and needs tokio's timer.
    pub async fn call(&self, call: &ToolCall, context: &ToolContext) -> ToolOutput {
        let context = context.clone().call(&call.id);
        let answer = AssertUnwindSafe(self.answer(&call.function, &context)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|panic| Err(CallError::Panicked(message(&*panic))));
        let output = answer.unwrap_or_else(|error| {
            let (name, call) = (&call.function.name, &call.id);
            tracing::warn!(tool = %name, %call, error = &error as &dyn Error, "a tool call failed");
            error.to_output()
        });
        ToolOutput::new(&call.id, output)
    }

    /// Answers `calls` side by side, 16 at a time; the outputs are in the order of the calls.
    pub async fn call_all(&self, calls: &[ToolCall], context: &ToolContext) -> Vec<ToolOutput> {
        // Collected first: a closure in the stream would keep this future from being `Send`.
        let calls: Vec<_> = calls.iter().map(|call| self.call(call, context)).collect();
        stream::iter(calls).buffered(MAX_AT_ONCE).collect().await
    }

    fn find(&self, name: &str) -> Option<&Registered> {
        self.tools.iter().find(|tool| tool.function.name == name).map(|tool| &**tool)
    }

    /// The result of a call, as JSON.
    async fn answer(&self, call: &FunctionCall, context: &ToolContext) -> Result<String, CallError> {
        let Some(Registered { tool, check, .. }) = self.find(&call.name) else {
            let known: Vec<_> = self.names().collect();
            return Err(CallError::Unknown { name: call.name.clone(), known: known.join(", ") });
        };
        let arguments = check.read(&call.arguments)?;
        let result: Value = tokio::time::timeout(self.timeout, tool.call(arguments, context))
            .await
            .map_err(|_| CallError::TimedOut(self.timeout))??;
        let result = result.to_string();
        if result.len() > MAX_BYTES { Err(CallError::ResultTooLong(result.len())) } else { Ok(result) }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        f.debug_struct("Registry").field("tools", &names).field("timeout", &self.timeout).finish()
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why").to_owned()
}
