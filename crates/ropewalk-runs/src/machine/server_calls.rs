//! Calls that tools of the server answer, between the end of the model's turn and its next.

use std::collections::HashMap;

use ropewalk_types::{
    CodeInterpreterCall, CodeInterpreterDelta, CodeOutput, CodeOutputDelta, FileId, FileReference,
    FunctionCall, FunctionWord, RunStep, RunStepId, RunStepStatus, StepDetails, ToolCall, ToolCallDelta,
    ToolCallId, ToolCallRecord,
};
use serde::{Deserialize, Serialize};

use super::{Change, Context, Effects, Machine, Next, turn::step_delta};
use crate::{
    citation,
    file_path::WrittenFile,
    server_tool::{BuiltInTool, ToolAnswer, ToolProgress},
};

/// Said of code that another process was running when it died.
const AGAIN: &str = "\n[The server stopped while this ran. It runs again, from the beginning.]\n";

/// A call of a tool of the server: as the model made it, and what the model is shown of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerCall {
    /// The call.
    pub id: ToolCallId,
    /// Which tool.
    pub tool: BuiltInTool,
    /// JSON as the model wrote it: not always valid.
    pub arguments: String,
    /// Where the answer stands in what the model is shown; see
    /// [`ToolCallContext::position`](crate::ToolCallContext::position).
    pub position: u64,
    /// What the model is shown; `None` until the call is answered.
    pub output: Option<String>,
    /// What the thread's session had written by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<WrittenFile>,
}

/// The calls of tools of the server that a run made, by step. Stored with their steps, never sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerCalls(HashMap<RunStepId, Vec<ServerCall>>);

impl ServerCalls {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of a step, in the model's order.
    pub fn of(&self, step: &RunStepId) -> &[ServerCall] {
        self.0.get(step).map_or(&[], Vec::as_slice)
    }

    /// Sets those of a step.
    pub fn insert(&mut self, step: RunStepId, calls: Vec<ServerCall>) {
        self.0.insert(step, calls);
    }

    /// All calls of `step`, those of functions too, in the model's order, each with what the model is shown of its
    /// answer.
    pub fn shown<'a>(&'a self, step: &'a RunStep) -> impl Iterator<Item = (ToolCall, &'a str)> {
        let records = match &step.step_details {
            StepDetails::ToolCalls { tool_calls } => tool_calls.as_slice(),
            _ => &[],
        };
        let own = self.of(&step.id);
        records.iter().filter_map(move |record| {
            let id = record.id()?;
            let (name, arguments, output) = match record {
                ToolCallRecord::Function { function, .. } => {
                    (function.name.as_str(), &function.arguments, &function.output)
                }
                _ => {
                    let call = own.iter().find(|call| call.id == *id)?;
                    (call.tool.name(), &call.arguments, &call.output)
                }
            };
            let function = FunctionCall { name: name.to_owned(), arguments: arguments.clone() };
            let call = ToolCall { id: id.clone(), kind: FunctionWord::Word, function };
            Some((call, output.as_deref().unwrap_or_default()))
        })
    }

    /// The file that `marker` cites, if it names a passage that a search of these `steps` showed to the model.
    pub(super) fn cited(&self, marker: &str, steps: &[RunStep]) -> Option<FileId> {
        steps.iter().rev().find_map(|step| {
            let StepDetails::ToolCalls { tool_calls } = &step.step_details else { return None };
            tool_calls.iter().find_map(|record| {
                let ToolCallRecord::FileSearch { id, file_search } = record else { return None };
                let call = self.of(&step.id).iter().find(|call| call.id == *id && call.output.is_some())?;
                citation::cited(marker, call.position, file_search)
            })
        })
    }

    /// What the thread's session has written, as the last call of these `steps` left it.
    pub(super) fn written(&self, steps: &[RunStep]) -> &[WrittenFile] {
        let answered =
            |call: &&ServerCall| call.tool == BuiltInTool::CodeInterpreter && call.output.is_some();
        let last = steps.iter().rev().find_map(|step| self.of(&step.id).iter().rfind(answered));
        last.map_or(&[], |call| &call.files)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first position behind those of all calls.
    fn next_position(&self) -> u64 {
        self.0.values().flatten().map(|call| call.position + 1).max().unwrap_or_default()
    }

    pub(super) fn of_mut(&mut self, step: &RunStepId) -> &mut Vec<ServerCall> {
        self.0.entry(step.clone()).or_default()
    }
}

impl Machine {
    /// The calls of tools of the server, by step.
    pub fn server_calls(&self) -> &ServerCalls {
        &self.server_calls
    }

    /// The calls that wait for tools of the server: to be answered after [`Next::CallTools`].
    pub fn unanswered(&self) -> impl Iterator<Item = &ServerCall> {
        let calls = self.open_step().map_or(&[][..], |step| self.server_calls.of(&step.id));
        calls.iter().filter(|call| self.state.answering && call.output.is_none())
    }

    /// Says that the model was shown this many messages for its current turn: answers stand behind them.
    pub fn prompted(&mut self, messages: usize) {
        self.turn.prompted = messages as u64;
    }

    /// Adds a call of `tool` to the open step and tells of it.
    pub(super) fn begin_server_call(&mut self, id: ToolCallId, tool: BuiltInTool, effects: &mut Effects) {
        let Some(step) = self.steps.last_mut() else { return };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return };
        let delta = tool.begun_delta(tool_calls.len() as u64, id.clone());
        effects.events.push(step_delta(step.id.clone(), delta));
        tool_calls.push(tool.begun(id.clone()));
        let call =
            ServerCall { id, tool, arguments: String::new(), position: 0, output: None, files: Vec::new() };
        self.server_calls.of_mut(&step.id).push(call);
    }

    /// Adds to what the model wrote for the call at `index` of the open step, and tells of the code in it.
    pub(super) fn add_server_arguments(&mut self, index: usize, arguments: &str, effects: &mut Effects) {
        let Some(step) = self.steps.last_mut() else { return };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return };
        let Some(record) = tool_calls.get_mut(index) else { return };
        let mut calls = self.server_calls.of_mut(&step.id).iter_mut();
        if let Some(call) = calls.find(|call| record.id() == Some(&call.id)) {
            call.arguments.push_str(arguments);
        }
        let ToolCallRecord::CodeInterpreter { code_interpreter, .. } = record else { return };
        let input = self.turn.code.entry(index).or_default().read(arguments);
        if !input.is_empty() {
            code_interpreter.input.push_str(&input);
            let delta = CodeInterpreterDelta { input: Some(input), outputs: None };
            effects.events.push(code_delta(&step.id, index, delta));
        }
    }

    /// A call of code_interpreter of the open step, as the step has it.
    pub(crate) fn code_call(&self, id: &ToolCallId) -> Option<&CodeInterpreterCall> {
        let StepDetails::ToolCalls { tool_calls } = &self.open_step()?.step_details else { return None };
        tool_calls.iter().find_map(|record| match record {
            ToolCallRecord::CodeInterpreter { id: of, code_interpreter } => {
                (of == id).then_some(code_interpreter)
            }
            _ => None,
        })
    }

    /// A call that waits for its answer did something: the step has it, and it is told.
    pub(super) fn progressed(&mut self, id: &ToolCallId, progress: ToolProgress, effects: &mut Effects) {
        if !self.unanswered().any(|call| call.id == *id) {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return };
        let Some(place) = tool_calls.iter().position(|record| record.id() == Some(id)) else { return };
        let ToolCallRecord::CodeInterpreter { code_interpreter, .. } = &mut tool_calls[place] else { return };
        let outputs = &mut code_interpreter.outputs;
        let delta = match progress {
            ToolProgress::Logs(text) => {
                match outputs.last_mut() {
                    Some(CodeOutput::Logs { logs }) => logs.push_str(&text),
                    _ => outputs.push(CodeOutput::Logs { logs: text.clone() }),
                }
                CodeOutputDelta::Logs { index: outputs.len() as u64 - 1, logs: Some(text) }
            }
            ToolProgress::Image(file_id) => {
                let image = FileReference { file_id };
                outputs.push(CodeOutput::Image { image: image.clone() });
                CodeOutputDelta::Image { index: outputs.len() as u64 - 1, image: Some(image) }
            }
        };
        let delta = CodeInterpreterDelta { input: None, outputs: Some(vec![delta]) };
        effects.events.push(code_delta(&step.id, place, delta));
    }

    /// Says of code that was running when its process died that it runs again.
    pub(super) fn run_again(&mut self, effects: &mut Effects) {
        let calls: Vec<ToolCallId> = self.unanswered().map(|call| call.id.clone()).collect();
        for call in calls {
            if self.code_call(&call).is_some_and(|code| !code.outputs.is_empty()) {
                self.progressed(&call, ToolProgress::Logs(AGAIN.to_owned()), effects);
            }
        }
    }

    /// The model's turn is over and has calls: tools of the server answer theirs first.
    pub(super) fn turn_called(&mut self, context: &Context<'_>, effects: &mut Effects) {
        let Some(step) = self.open_step().cloned() else { return };
        // The model's own message stands before the answers.
        let mut position = self.server_calls.next_position().max(self.turn.prompted + 1);
        if !self.server_calls.of(&step.id).is_empty() {
            for call in self.server_calls.of_mut(&step.id) {
                call.position = position;
                position += 1;
            }
            self.state.answering = true;
            effects.run_changed = true;
            effects.changes.push(Change::Step(step));
        }
        self.go_on_answered(context, effects);
    }

    /// Takes the answer to one call; one that comes twice or too late changes nothing.
    pub(super) fn answered(
        &mut self,
        id: &ToolCallId,
        answer: ToolAnswer,
        context: &Context<'_>,
        effects: &mut Effects,
    ) {
        if !self.unanswered().any(|call| call.id == *id) {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return };
        let calls = self.server_calls.of_mut(&step.id);
        if let Some(call) = calls.iter_mut().find(|call| call.id == *id) {
            call.output = Some(answer.output);
            call.files = answer.files;
        }
        if let Some(record) = answer.record
            && let Some(old) = tool_calls.iter_mut().find(|record| record.id() == Some(id))
        {
            *old = record.with_id(id.clone());
        }
        effects.changes.push(Change::Step(step.clone()));
        if self.unanswered().next().is_none() {
            self.go_on_answered(context, effects);
        }
    }

    /// Waits for tools of the server, then for functions of the caller, then goes back to the model.
    pub(super) fn go_on_answered(&mut self, context: &Context<'_>, effects: &mut Effects) {
        if self.unanswered().next().is_some() {
            effects.next = Next::CallTools;
            return;
        }
        self.state.answering = false;
        let functions = self.open_step().is_some_and(|step| !super::turn::calls_of(step).is_empty());
        if functions {
            return self.wait_for_outputs(effects);
        }
        effects.run_changed = true;
        let usage = self.state.step_usage.take();
        self.close_step(RunStepStatus::Completed, usage, None, context, effects);
        self.say_late_text(context, effects);
        self.begin_turn(context, effects);
    }
}

fn code_delta(step: &RunStepId, index: usize, delta: CodeInterpreterDelta) -> ropewalk_events::Event {
    let call =
        ToolCallDelta::CodeInterpreter { index: index as u64, id: None, code_interpreter: Some(delta) };
    step_delta(step.clone(), call)
}
