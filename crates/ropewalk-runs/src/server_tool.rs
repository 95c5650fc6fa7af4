use std::{
    error::Error,
    fmt::{self, Debug},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use ropewalk_store::Scope;
use ropewalk_types::{
    CodeInterpreterCall, CodeInterpreterDelta, FileId, FileSearchCall, Function, Run, Tool, ToolCallDelta,
    ToolCallId, ToolCallRecord,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{citation, file_path::WrittenFile, machine::Failure};

/// A tool of the API that a server runs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltInTool {
    /// Python behind a wall.
    CodeInterpreter,
    /// Search in vector stores.
    FileSearch,
}

impl BuiltInTool {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::CodeInterpreter, Self::FileSearch];

    /// The name that models call it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeInterpreter => "code_interpreter",
            Self::FileSearch => "file_search",
        }
    }

    /// The tool that `tool` is, if it is one of them.
    pub fn of(tool: &Tool) -> Option<Self> {
        match tool {
            Tool::CodeInterpreter => Some(Self::CodeInterpreter),
            Tool::FileSearch { .. } => Some(Self::FileSearch),
            _ => None,
        }
    }

    /// The tool that a model means by `name` in `run`.
    pub(crate) fn called(run: &Run, name: &str) -> Option<Self> {
        run.tools.iter().filter_map(Self::of).find(|tool| tool.name() == name)
    }

    /// Why a run that needs it fails on a server without it.
    pub(crate) fn missing(self) -> Failure {
        Failure::server(format!(
            "This run needs the tool `{}`, which this server does not offer. Remove it from the tools of the \
             assistant or of the run, or let the model answer without it.",
            self.name()
        ))
    }

    /// A call of it that has just begun, as its step keeps it.
    pub(crate) fn begun(self, id: ToolCallId) -> ToolCallRecord {
        match self {
            Self::CodeInterpreter => ToolRecord::CodeInterpreter(CodeInterpreterCall::default()).with_id(id),
            Self::FileSearch => ToolRecord::FileSearch(FileSearchCall::default()).with_id(id),
        }
    }

    /// A call of it that has just begun, as a stream tells of it.
    pub(crate) fn begun_delta(self, index: u64, id: ToolCallId) -> ToolCallDelta {
        let id = Some(id);
        match self {
            Self::CodeInterpreter => {
                let empty = CodeInterpreterDelta { input: Some(String::new()), outputs: Some(Vec::new()) };
                ToolCallDelta::CodeInterpreter { index, id, code_interpreter: Some(empty) }
            }
            Self::FileSearch => ToolCallDelta::FileSearch { index, id, file_search: Default::default() },
        }
    }
}

/// A built-in tool that this server has.
///
/// # Contract
///
/// - **Cancel-safe:** dropping the future of a call ends the work; nobody waits for what it would have said.
/// - **Repeatable:** a call whose answer was not stored when the process died is made again.
/// - **Honest:** what goes wrong is said to the model as [`ToolAnswer::text`] or by [`ToolError::Broken`]; only what
///   makes the run pointless ends it, by [`ToolError::Run`].
#[async_trait]
pub trait ServerTool: Debug + Send + Sync + 'static {
    /// Which one it is.
    fn tool(&self) -> BuiltInTool;

    /// How the model is told of it in `run`. Whatever name it has, the model sees that of the tool.
    async fn function(&self, scope: &Scope, run: &Run) -> Function;

    /// Whether the calls of one turn are answered one after another, as the model made them.
    fn in_order(&self) -> bool {
        false
    }

    /// Answers one call. Calls of one turn run at the same time, four at most, unless they go [in order](Self::in_order).
    ///
    /// # Errors
    ///
    /// [`ToolError`] says whether the run goes on.
    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError>;
}

/// A call to answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToolCallContext {
    /// The documents of the run's organisation.
    pub scope: Scope,
    /// The run as it stands.
    pub run: Arc<Run>,
    /// The call.
    pub id: ToolCallId,
    /// JSON as the model wrote it: not always valid.
    pub arguments: String,
    /// The code in it, as the step has it; empty for a tool that takes none.
    pub code: String,
    /// Where the answer will stand in what the model is shown, counted in messages; unlike that of every other call
    /// of the run. Citations name it.
    pub position: u64,
    pub(crate) told: mpsc::Sender<ToolProgress>,
}

impl ToolCallContext {
    /// Shows what the call does while it goes on. Waits while the run does not keep up.
    pub async fn tell(&self, progress: ToolProgress) {
        // A run that is over needs to know nothing.
        drop(self.told.send(progress).await);
    }
}

/// What a call of code_interpreter does while it goes on: its step and its stream have it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolProgress {
    /// It printed.
    Logs(String),
    /// It drew: the figure is this file.
    Image(FileId),
}

/// What a step keeps of an answered call.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolRecord {
    /// Code that ran.
    CodeInterpreter(CodeInterpreterCall),
    /// A search that was made, the passages included.
    FileSearch(FileSearchCall),
}

impl ToolRecord {
    pub(crate) fn with_id(self, id: ToolCallId) -> ToolCallRecord {
        match self {
            Self::CodeInterpreter(code_interpreter) => {
                ToolCallRecord::CodeInterpreter { id, code_interpreter }
            }
            Self::FileSearch(file_search) => ToolCallRecord::FileSearch { id, file_search },
        }
    }
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// For the step, in place of what it has of the call.
    pub record: Option<ToolRecord>,
    /// What the model is shown.
    pub output: String,
    /// What the thread's session has written so far: where the model names one of these, the answer is annotated.
    pub files: Vec<WrittenFile>,
}

impl ToolAnswer {
    /// Plain words for the model: why there are no results.
    pub fn text(output: impl Into<String>) -> Self {
        Self { record: None, output: output.into(), files: Vec::new() }
    }

    /// The results of a search, with their `content`. The model is shown each under a marker to cite it by; markers
    /// that come back in its text become annotations.
    pub fn search(context: &ToolCallContext, search: FileSearchCall) -> Self {
        let output = citation::shown(context.position, &search);
        Self { record: Some(ToolRecord::FileSearch(search)), output, files: Vec::new() }
    }
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The tool broke. The cause goes to the log, the model is told plainly, and the run goes on.
    #[error("the tool failed")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The run cannot go on, for the reason that its `last_error` will say.
    #[error("the run cannot go on: {}", .0.message)]
    Run(Failure),
}

impl ToolError {
    /// The tool broke.
    pub fn broken(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(source.into())
    }
}

/// The tools of one server, set once.
#[derive(Default)]
pub(crate) struct ServerTools(OnceLock<Offer>);

#[derive(Default)]
struct Offer {
    tools: Vec<Arc<dyn ServerTool>>,
    names: Vec<BuiltInTool>,
}

impl ServerTools {
    pub(crate) fn set(&self, tools: Vec<Arc<dyn ServerTool>>) {
        let names = tools.iter().map(|tool| tool.tool()).collect();
        // Set twice, the first stays: runs may rely on it already.
        drop(self.0.set(Offer { tools, names }));
    }

    /// Which there are.
    pub(crate) fn offered(&self) -> &[BuiltInTool] {
        self.0.get().map_or(&[], |offer| &offer.names)
    }

    pub(crate) fn get(&self, tool: BuiltInTool) -> Option<&Arc<dyn ServerTool>> {
        self.0.get()?.tools.iter().find(|offered| offered.tool() == tool)
    }

    /// How the model is told of the tools of `run` that are here.
    pub(crate) async fn functions(&self, scope: &Scope, run: &Run) -> Vec<Function> {
        let mut functions = Vec::new();
        for tool in run.tools.iter().filter_map(BuiltInTool::of) {
            if let Some(offered) = self.get(tool) {
                let mut function = offered.function(scope, run).await;
                tool.name().clone_into(&mut function.name);
                functions.push(function);
            }
        }
        functions
    }
}

impl Debug for ServerTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.offered()).finish()
    }
}
