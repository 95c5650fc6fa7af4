use ropewalk_types::{RunId, ThreadId, ToolCallId};

/// Where a call comes from.
///
/// All of it is optional: a tool can be called outside of a run, in a test for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolContext {
    /// The thread that the run is on.
    pub thread_id: Option<ThreadId>,
    /// The run that the model asked for the call in.
    pub run_id: Option<RunId>,
    /// The call itself; the registry fills it in.
    pub call_id: Option<ToolCallId>,
}

impl ToolContext {
    /// Calls made by `run` on `thread`.
    pub fn new(thread: impl Into<ThreadId>, run: impl Into<RunId>) -> Self {
        Self { thread_id: Some(thread.into()), run_id: Some(run.into()), call_id: None }
    }

    /// The same, for the call `id`.
    #[must_use]
    pub fn call(mut self, id: impl Into<ToolCallId>) -> Self {
        self.call_id = Some(id.into());
        self
    }
}
