//! How the tools of the server answer the calls of a turn.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, stream};
use ropewalk_types::ToolCallId;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::{
    RunError,
    execution::Execution,
    machine::{Failure, Input, Next, ServerCall},
    measures,
    server_tool::{ServerTool, ToolAnswer, ToolCallContext, ToolError, ToolProgress},
    trace,
};

/// Calls of one turn that are answered at the same time.
const AT_ONCE: usize = 4;
/// Pieces of progress that a call may be ahead of what its run has told.
const UNTOLD: usize = 4;

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
                let code = self.machine.code_call(&id).map(|code| code.input.clone()).unwrap_or_default();
                let (told, progress) = mpsc::channel(UNTOLD);
                let context = ToolCallContext { scope, run, id: id.clone(), arguments, code, position, told };
                let offered = self.shared.tools.get(tool).cloned();
                let in_order = offered.as_ref().is_some_and(|tool| tool.in_order());
                let answer = Box::pin(input_of(offered, tool.missing(), context));
                (in_order, Inputs { call: id, progress, answer, answered: None, over: false })
            })
            .collect();
        let (in_order, others): (Vec<_>, Vec<_>) = calls.into_iter().partition(|(in_order, _)| *in_order);
        let in_order = stream::iter(in_order).flat_map(|(_, inputs)| inputs);
        let others = stream::iter(others).flat_map_unordered(AT_ONCE, |(_, inputs)| inputs);
        let inputs = pin!(stream::select(in_order, others));
        // The answer to the last call goes on with the run, so the stream is never seen to end.
        let none_left = || Input::ToolFailed(Failure::server("Sorry, something went wrong."));
        self.follow(inputs, |_, input| input.unwrap_or_else(none_left)).await
    }
}

/// What comes of one call: its progress, then its answer.
struct Inputs<F> {
    call: ToolCallId,
    progress: mpsc::Receiver<ToolProgress>,
    answer: Pin<Box<F>>,
    answered: Option<Input>,
    over: bool,
}

impl<F: Future<Output = Input>> Stream for Inputs<F> {
    type Item = Input;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Input>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        // What it does while it is asked now comes before its answer too.
        if this.answered.is_none()
            && let Poll::Ready(input) = this.answer.as_mut().poll(context)
        {
            this.answered = Some(input);
        }
        if let Poll::Ready(Some(progress)) = this.progress.poll_recv(context) {
            return Poll::Ready(Some(Input::Progressed { call: this.call.clone(), progress }));
        }
        match this.answered.take() {
            Some(input) => {
                this.over = true;
                Poll::Ready(Some(input))
            }
            None => Poll::Pending,
        }
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
