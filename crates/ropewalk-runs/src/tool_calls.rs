//! How the tools of the server answer the calls of a turn.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Instant};

use futures_util::{FutureExt, StreamExt, stream};
use tracing::Instrument;

use crate::{
    RunError,
    execution::Execution,
    machine::{Failure, Input, Next, ServerCall},
    measures,
    server_tool::{ServerTool, ToolAnswer, ToolCallContext, ToolError},
    trace,
};

/// Calls of one turn that are answered at the same time.
const AT_ONCE: usize = 4;

impl Execution {
    /// Has all calls answered that wait for a tool of the server.
    pub(crate) async fn call_tools(&mut self) -> Result<Next, RunError> {
        let run = Arc::new(self.machine.run().clone());
        let calls: Vec<_> = self
            .machine
            .unanswered()
            .map(|call| {
                let ServerCall { id, tool, arguments, position, .. } = call.clone();
                let (scope, run) = (self.scope.clone(), run.clone());
                let context = ToolCallContext { scope, run, id, arguments, position };
                input_of(self.shared.tools.get(tool).cloned(), tool.missing(), context)
            })
            .collect();
        let inputs = pin!(stream::iter(calls).buffer_unordered(AT_ONCE));
        // The answer to the last call goes on with the run, so the stream is never seen to end.
        let none_left = || Input::ToolFailed(Failure::server("Sorry, something went wrong."));
        self.follow(inputs, |_, input| input.unwrap_or_else(none_left)).await
    }
}

/// What a call comes to. A tool is foreign code: one that panics has failed, and its run goes on.
async fn input_of(tool: Option<Arc<dyn ServerTool>>, missing: Failure, context: ToolCallContext) -> Input {
    let Some(tool) = tool else { return Input::ToolFailed(missing) };
    let (run, call, name) = (context.run.clone(), context.id.clone(), tool.tool().name());
    let (span, begun) = (trace::execute_tool(tool.tool(), &context), Instant::now());
    let answer = AssertUnwindSafe(tool.call(context)).catch_unwind().instrument(span.clone()).await;
    let outcome = match &answer {
        Ok(Ok(_)) => "ok",
        Ok(Err(ToolError::Run(_))) => "run_failed",
        Ok(Err(_)) => "failed",
        Err(_) => "panicked",
    };
    measures::tool_called(name, outcome, begun.elapsed());
    if outcome != "ok" {
        trace::failed(&span, outcome);
    }
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(ToolError::Run(failure))) => return Input::ToolFailed(failure),
        Ok(Err(error)) => {
            tracing::warn!(run = %run.id, %call, name, error = &error as &dyn std::error::Error, "tool failed");
            failed(name)
        }
        Err(_) => {
            tracing::error!(run = %run.id, %call, name, "tool panicked");
            failed(name)
        }
    };
    Input::Answered { call, answer }
}

/// What the model is told of a tool that broke.
fn failed(name: &str) -> ToolAnswer {
    ToolAnswer::text(format!(
        "The tool `{name}` failed on the server and gave no result. Do not guess what it would have said: answer \
         without it, and say that it failed."
    ))
}
