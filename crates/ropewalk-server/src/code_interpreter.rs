//! The code_interpreter tool of the API: cells in the Python session of a run's thread.

mod folder;
mod naming;
mod printing;
mod shown;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt;
use ropewalk_files::{FileError, Library};
use ropewalk_interpreter::{
    Backend, CellEnd, CellEvent, Error, Interpreter, Output, PoolOptions, SessionPool,
};
use ropewalk_runs::{BuiltInTool, Failure, ServerTool, ToolAnswer, ToolCallContext, ToolError, ToolProgress};
use ropewalk_store::Scope;
use ropewalk_types::{Function, Run, ThreadId};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::{folder::Folder, printing::Printing, shown::Transcript};
use crate::image_type::media_type;

/// What a runtime needs to run code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CodeInterpreterOptions {
    /// Where sessions come from.
    pub backend: Arc<dyn Backend>,
    /// How many sessions there may be, and for how long.
    pub pool: PoolOptions,
    /// How long a cell may take, as the model is told; the backend sees to it.
    pub cell: Duration,
    /// What is installed, as the model is told: `numpy 2.1.0`.
    pub packages: Vec<String>,
}

impl CodeInterpreterOptions {
    /// Sessions of `backend`, in numbers and for times that suit one machine, one of them kept ready, and cells of a minute.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let mut pool = PoolOptions::default();
        pool.spare = true;
        Self { backend, pool, cell: Duration::from_secs(60), packages: Vec::new() }
    }
}

/// The code_interpreter tool.
#[derive(Debug)]
pub(crate) struct CodeInterpreter {
    options: CodeInterpreterOptions,
    /// By organisation and thread; each with what is known of its folder.
    sessions: SessionPool<Folder>,
    library: Library,
}

impl CodeInterpreter {
    pub(crate) fn new(options: CodeInterpreterOptions, library: Library) -> Self {
        let sessions = SessionPool::new(options.backend.clone(), options.pool.clone());
        Self { options, sessions, library }
    }

    /// Ends sessions in time, and all of them at `stop`.
    pub(crate) async fn work(&self, stop: CancellationToken) {
        self.sessions.sweep(stop).await;
    }

    /// Ends the session of a thread that is gone.
    pub(crate) fn end(&self, scope: &Scope, thread: &ThreadId) {
        self.sessions.end(scope.organization().as_str(), thread.as_str());
    }

    /// Runs the code of `call`, telling of what it does.
    async fn run(
        &self,
        call: &ToolCallContext,
        interpreter: &mut dyn Interpreter,
        transcript: &mut Transcript,
    ) -> Result<CellEnd, ToolError> {
        let mut events = interpreter.run(call.code.clone());
        let mut printing = Printing::new(call);
        loop {
            let event = tokio::select! {
                biased;
                () = printing.due() => {
                    printing.tell().await;
                    continue;
                }
                event = events.next() => event,
            };
            match event {
                Some(CellEvent::Output(Output::Text(text))) => {
                    transcript.print(&text);
                    printing.add(&text).await;
                }
                Some(CellEvent::Output(Output::Image(image))) => {
                    printing.tell().await;
                    self.draw(call, image, transcript).await?;
                }
                Some(CellEvent::Output(_)) => {}
                Some(CellEvent::End(end)) => {
                    printing.tell().await;
                    return Ok(end);
                }
                None => return Ok(CellEnd::Lost { why: "The session ended." }),
            }
        }
    }

    /// Makes a file of a figure and tells of it.
    async fn draw(
        &self,
        call: &ToolCallContext,
        image: bytes::Bytes,
        transcript: &mut Transcript,
    ) -> Result<(), ToolError> {
        let Some(media_type) = media_type(&image) else {
            transcript.note("A figure was left out: it is no image.");
            return Ok(());
        };
        let name = format!("figure.{}", media_type.trim_start_matches("image/"));
        match folder::made(&self.library, &call.scope, &name, image).await {
            Ok(file) => {
                transcript.drew();
                call.tell(ToolProgress::Image(file)).await;
                Ok(())
            }
            Err(FileError::Quota) => {
                transcript.note("A figure was left out: the file storage is full.");
                Ok(())
            }
            Err(error) => Err(ToolError::broken(error)),
        }
    }
}

#[async_trait]
impl ServerTool for CodeInterpreter {
    fn tool(&self) -> BuiltInTool {
        BuiltInTool::CodeInterpreter
    }

    async fn function(&self, scope: &Scope, run: &Run) -> Function {
        let files = folder::names(&self.library, scope, run).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(run = %run.id, error, "the files of a session could not be named");
            Vec::new()
        });
        Function::new(BuiltInTool::CodeInterpreter.name())
            .description(shown::description(&self.options, &files))
            .parameters(json!({
                "type": "object",
                "properties": { "code": { "type": "string", "description": "Python to run." } },
                "required": ["code"],
                "additionalProperties": false,
            }))
    }

    fn in_order(&self) -> bool {
        true
    }

    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError> {
        if call.code.trim().is_empty() {
            return Ok(ToolAnswer::text("The arguments must be JSON of the form {\"code\": \"…\"}."));
        }
        let (organization, thread) = (call.scope.organization().as_str(), call.run.thread_id.as_str());
        let mut lease = self.sessions.session(organization, thread).await.map_err(refused)?;
        let mut transcript = Transcript::default();
        let lifted = self.options.backend.lifted();
        if !lifted.is_empty() {
            let names: Vec<&str> = lifted.iter().map(|layer| layer.name()).collect();
            let note = format!("[Sandbox: the operator lifted its layers {}.]\n", names.join(", "));
            call.tell(ToolProgress::Logs(note)).await;
        }
        let (interpreter, folder) = lease.parts();
        let opened = folder.open(&self.library, &call, interpreter, &mut transcript).await;
        if let Err(error) = opened {
            // What lies in it is not known.
            lease.discard();
            return Err(error);
        }
        let (interpreter, folder) = lease.parts();
        let end = self.run(&call, interpreter, &mut transcript).await?;
        let ended = transcript.end(&end);
        if !ended.is_empty() {
            call.tell(ToolProgress::Logs(ended)).await;
        }
        let written = folder.keep(&self.library, &call, interpreter, &mut transcript).await?;
        Ok(ToolAnswer { files: written, ..ToolAnswer::text(transcript.shown()) })
    }
}

/// No session: what the operator has to know goes to the run too, what may pass does not.
fn refused(error: Error) -> ToolError {
    match error {
        Error::Environment { .. } | Error::Layer { .. } | Error::NotLifted(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "code_interpreter cannot be offered");
            let lift = match &error {
                Error::Layer { layer, .. } if layer.can_be_lifted() => {
                    format!("; or go without it by `--interpreter-lift {layer}`")
                }
                _ => String::new(),
            };
            ToolError::Run(Failure::server(format!(
                "code_interpreter cannot run on this server: {error}{lift}."
            )))
        }
        error => ToolError::broken(error),
    }
}
