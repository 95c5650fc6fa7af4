//! The run as a pure state machine: inputs go in, what to store, tell and do next comes out.
//!
//! No I/O, no lock, no clock. Whoever drives it commits [`Effects::changes`] in one transaction, then sends
//! [`Effects::events`], then does [`Effects::next`]: commit, then tell.

mod effects;
mod ending;
mod late_outputs;
mod server_calls;
#[cfg(test)]
mod tests;
mod turn;

pub use effects::{Change, Context, Effects, Next};
use ropewalk_events::{Event, Snapshot};
use ropewalk_model::{FinishReason, ModelEvent};
use ropewalk_types::{
    Budget, LastError, LastErrorCode, Message, MessageStatus, RequiredAction, Run, RunId,
    RunIncompleteReason, RunStatus, RunStep, RunStepStatus, StepDetails, ToolCallId, ToolCallRecord,
    ToolOutput, Usage,
};
use serde::{Deserialize, Serialize};
pub use server_calls::{ServerCall, ServerCalls};
use turn::Turn;

use self::ending::Ending;
use crate::{
    RunError, TraceParent,
    citation::Annotator,
    file_path::PathFinder,
    line::Rank,
    server_tool::{ToolAnswer, ToolProgress},
};

/// What happens to a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Input {
    /// It was created; tells of it as queued.
    Created,
    /// A worker takes it up: from queued to in_progress.
    Claimed,
    /// A worker takes it over from one that died: what was unfinished is closed and done anew.
    Recovered,
    /// The model said something.
    Model(ModelEvent),
    /// The model's stream came to its proper end.
    ModelEnded,
    /// The model could not be reached, refused, or broke off.
    ModelFailed(Failure),
    /// A tool of the server works on a call of the open step, and has something to show.
    Progressed {
        /// Which call.
        call: ToolCallId,
        /// What it did.
        progress: ToolProgress,
    },
    /// A tool of the server answered a call of the open step.
    Answered {
        /// Which call.
        call: ToolCallId,
        /// What came of it.
        answer: ToolAnswer,
    },
    /// A tool of the server says that the run cannot go on.
    ToolFailed(Failure),
    /// A cancel was committed by another hand: stop now.
    Cancelled,
    /// The clock passed `expires_at`.
    DeadlinePassed,
    /// A limit of what model calls may use is reached; the run ends `incomplete` for this reason.
    LimitReached(RunIncompleteReason),
}

/// Why the run cannot go on, as `last_error` will say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: LastErrorCode,
    /// For people; no internal text.
    pub message: String,
}

impl Failure {
    /// A fault of the server, `server_error`.
    pub fn server(message: impl Into<String>) -> Self {
        Self { code: LastErrorCode::ServerError, message: message.into() }
    }
}

impl From<Failure> for LastError {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

/// What a run must remember besides its public objects. Stored with the run, never sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunState {
    /// What all finished model calls cost.
    pub usage: Usage,
    /// What the last model call cost, until the step it belongs to is closed.
    pub step_usage: Option<Usage>,
    /// Text that the model wrote behind its tool calls; becomes a message once they are answered.
    pub late_text: String,
    /// The model's turn is over, and tools of the server answer their calls in the open step.
    pub answering: bool,
    /// Names the key that the run was made with.
    pub key: Option<String>,
    /// What all runs made with that key may use together.
    pub key_budget: Option<Budget>,
    /// How many model calls have ended.
    pub model_calls: u64,
    /// How long they took in all, in milliseconds.
    pub model_ms: u64,
    /// The trace that it was asked for in.
    pub traceparent: Option<TraceParent>,
    /// The run was taken up, and neither waits for outputs nor is over: whoever drives it may have told of deltas that
    /// are not stored.
    pub(crate) driven: bool,
    /// Where the run joined the line of its thread, while it stands in it.
    pub(crate) waiting: Option<Rank>,
    /// Those that it asks to stop while it waits.
    pub(crate) overtakes: Vec<RunId>,
    /// The model call that is under way, or has to be made again, is counted for the key already.
    pub(crate) prepaid: bool,
}

/// One run: its objects, and where its current model turn stands.
#[derive(Debug, Clone)]
pub struct Machine {
    run: Run,
    steps: Vec<RunStep>,
    message: Option<Message>,
    state: RunState,
    server_calls: ServerCalls,
    turn: Turn,
    /// Look for citations and for files of a session in the text that is being written.
    annotator: Annotator,
    paths: PathFinder,
}

impl Machine {
    /// A machine for a run that was just made, `queued`.
    pub fn new(run: Run) -> Self {
        Self::restore(run, Vec::new(), ServerCalls::new(), None, RunState::default())
    }

    /// A machine rebuilt from what was committed: the run, its steps in order with their calls of tools of the
    /// server, and its open message if any.
    pub fn restore(
        run: Run,
        steps: Vec<RunStep>,
        server_calls: ServerCalls,
        message: Option<Message>,
        state: RunState,
    ) -> Self {
        let (turn, annotator, paths) = (Turn::default(), Annotator::default(), PathFinder::default());
        Self { run, steps, message, state, server_calls, turn, annotator, paths }
    }

    /// The run as it stands.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The run, for what others may change about it: its metadata.
    pub fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Its steps, oldest first.
    pub fn steps(&self) -> &[RunStep] {
        &self.steps
    }

    /// The message being written, for what others may change about it: its metadata.
    pub fn message_mut(&mut self) -> Option<&mut Message> {
        self.message.as_mut()
    }

    /// What the run remembers besides its objects.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Takes over what was told of the unfinished step and message, so that they are closed with it.
    pub(crate) fn recall(&mut self, told: &Snapshot) {
        let message = self.message.as_mut().filter(|message| message.status == MessageStatus::InProgress);
        if let Some(message) = message
            && let Some(told) = told.message(&message.id)
        {
            message.content.clone_from(&told.content);
        }
        let step = self.steps.last_mut().filter(|step| step.status == RunStepStatus::InProgress);
        if let Some(step) = step
            && let Some(told) = told.step(&step.id)
        {
            step.step_details.clone_from(&told.step_details);
        }
    }

    /// What the run remembers, for whoever drives it.
    pub(crate) fn state_mut(&mut self) -> &mut RunState {
        &mut self.state
    }

    /// Says which limit is reached if the model stops because it may write no more.
    pub(crate) fn capped_by(&mut self, reason: RunIncompleteReason) {
        self.turn.cap = Some(reason);
    }

    /// Takes one input. Inputs that come too late for the run's status change nothing.
    pub fn handle(&mut self, input: Input, context: &Context<'_>, effects: &mut Effects) {
        if self.run.status.is_terminal() {
            effects.next = Next::End;
            return;
        }
        match input {
            Input::Created => self.created(effects),
            Input::Claimed => self.claimed(context, effects),
            Input::Recovered => self.recovered(context, effects),
            Input::Model(event) if self.is_models_turn() => self.model_said(event, context, effects),
            Input::ModelEnded if self.is_models_turn() => self.turn_ended(context, effects),
            Input::ModelFailed(failure) | Input::ToolFailed(failure)
                if self.run.status == RunStatus::InProgress =>
            {
                self.end(Ending::Failed(failure), context, effects);
            }
            Input::Progressed { call, progress } if self.run.status == RunStatus::InProgress => {
                self.progressed(&call, progress, effects);
            }
            Input::Answered { call, answer } if self.run.status == RunStatus::InProgress => {
                self.answered(&call, answer, context, effects);
            }
            Input::LimitReached(reason) if self.run.status == RunStatus::InProgress => {
                self.end(Ending::Limit(reason), context, effects);
            }
            Input::Model(_)
            | Input::ModelEnded
            | Input::ModelFailed(_)
            | Input::Progressed { .. }
            | Input::Answered { .. }
            | Input::ToolFailed(_)
            | Input::LimitReached(_) => {}
            Input::Cancelled => self.cancelled(context, effects),
            Input::DeadlinePassed => self.end(Ending::Expired, context, effects),
        }
    }

    /// Answers all calls that the run waits for; the run is queued again.
    ///
    /// # Errors
    ///
    /// [`RunError::NotWaiting`] unless the run is in `requires_action`, [`RunError::WrongOutputs`] unless
    /// `outputs` names each call once and no other. Nothing has changed then.
    pub fn submit(
        &mut self,
        outputs: &[ToolOutput],
        context: &Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), RunError> {
        if self.run.status != RunStatus::RequiresAction {
            return Err(RunError::NotWaiting { status: self.run.status.clone() });
        }
        let expected: Vec<&str> = self.waiting_for().collect();
        let mut got: Vec<&str> = outputs.iter().map(|output| output.tool_call_id.as_str()).collect();
        let given = got.clone();
        got.sort_unstable();
        let mut wanted = expected.clone();
        wanted.sort_unstable();
        if got != wanted {
            let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
            return Err(RunError::WrongOutputs { expected: owned(expected), got: owned(given) });
        }
        self.fill_outputs(outputs);
        let usage = self.state.step_usage.take();
        self.close_step(RunStepStatus::Completed, usage, None, context, effects);
        self.run.required_action = None;
        self.run.status = RunStatus::Queued;
        effects.run_changed = true;
        effects.events.push(Event::of_run(self.run.clone()));
        Ok(())
    }

    /// Stops the run when it turns out, while `effects` are neither stored nor told, that a cancel was committed
    /// first. A run that is over by now stays as it ended: a cancel is a request.
    pub fn overtaken_by_cancel(&mut self, context: &Context<'_>, effects: &mut Effects) {
        if self.run.status.is_terminal() {
            return;
        }
        effects.events.retain(|event| !matches!(event, Event::RunRequiresAction(_)));
        self.handle(Input::Cancelled, context, effects);
    }

    /// Asks the run to stop. It is `cancelling` from then on, until whoever drives it hands in
    /// [`Input::Cancelled`].
    ///
    /// # Errors
    ///
    /// [`RunError::NotCancellable`] if it is over or asked already.
    pub fn request_cancel(&mut self, effects: &mut Effects) -> Result<(), RunError> {
        match self.run.status {
            RunStatus::Queued | RunStatus::InProgress | RunStatus::RequiresAction => {
                self.run.status = RunStatus::Cancelling;
                self.run.required_action = None;
                effects.run_changed = true;
                Ok(())
            }
            _ => Err(RunError::NotCancellable { status: self.run.status.clone() }),
        }
    }

    fn is_models_turn(&self) -> bool {
        self.run.status == RunStatus::InProgress && !self.state.answering
    }

    fn created(&mut self, effects: &mut Effects) {
        effects.run_changed = true;
        effects.events.push(Event::RunCreated(Box::new(self.run.clone())));
        effects.events.push(Event::of_run(self.run.clone()));
    }

    fn claimed(&mut self, context: &Context<'_>, effects: &mut Effects) {
        if self.run.status != RunStatus::Queued {
            return;
        }
        self.run.status = RunStatus::InProgress;
        self.run.started_at = Some(context.now);
        self.state.driven = true;
        effects.run_changed = true;
        effects.events.push(Event::of_run(self.run.clone()));
        self.say_late_text(context, effects);
        self.begin_turn(context, effects);
    }

    fn recovered(&mut self, context: &Context<'_>, effects: &mut Effects) {
        match self.run.status {
            RunStatus::Queued => self.claimed(context, effects),
            RunStatus::Cancelling => self.cancelled(context, effects),
            RunStatus::RequiresAction => effects.next = Next::Park,
            // What was answered stays answered; the rest is asked again.
            _ if self.state.answering => {
                self.run_again(effects);
                self.go_on_answered(context, effects);
            }
            _ => {
                // The unfinished answer is closed and kept out of what the model is shown.
                let lost = Failure::server("The server stopped while it wrote this; it is written anew.");
                self.close_message(Some(ropewalk_types::IncompleteReason::RunFailed), context, effects);
                self.close_step(RunStepStatus::Failed, None, Some(lost.into()), context, effects);
                self.begin_turn(context, effects);
            }
        }
    }

    fn cancelled(&mut self, context: &Context<'_>, effects: &mut Effects) {
        self.run.status = RunStatus::Cancelling;
        self.run.required_action = None;
        effects.events.push(Event::of_run(self.run.clone()));
        self.end(Ending::Cancelled, context, effects);
    }

    /// Goes to the model, unless the run may not.
    fn begin_turn(&mut self, context: &Context<'_>, effects: &mut Effects) {
        self.turn = Turn::default();
        if let Some(tool) = crate::conversation::forced_built_in(&self.run)
            && !context.offered.contains(&tool)
        {
            return self.end(Ending::Failed(tool.missing()), context, effects);
        }
        let spent = self.state.usage;
        let over = |limit: Option<u64>, spent: u64| limit.is_some_and(|limit| spent >= limit);
        if over(self.run.max_completion_tokens, spent.completion_tokens) {
            self.end(Ending::Limit(RunIncompleteReason::MaxCompletionTokens), context, effects);
        } else if over(self.run.max_prompt_tokens, spent.prompt_tokens) {
            self.end(Ending::Limit(RunIncompleteReason::MaxPromptTokens), context, effects);
        } else {
            effects.next = Next::CallModel;
        }
    }

    fn turn_ended(&mut self, context: &Context<'_>, effects: &mut Effects) {
        let usage = self.turn.usage.take().unwrap_or_default();
        self.state.usage += usage;
        self.state.step_usage = Some(usage);
        match self.turn.finish.take() {
            Some(FinishReason::Length) => {
                let reason = self.turn.cap.take().unwrap_or(RunIncompleteReason::MaxCompletionTokens);
                self.end(Ending::Limit(reason), context, effects);
            }
            Some(FinishReason::ContentFilter) => self.end(Ending::ContentFilter, context, effects),
            _ if self.turn.has_calls() => self.turn_called(context, effects),
            _ => self.end(Ending::Completed, context, effects),
        }
    }

    fn wait_for_outputs(&mut self, effects: &mut Effects) {
        let calls = self.open_step().map(turn::calls_of).unwrap_or_default();
        if let Some(step) = self.open_step().cloned() {
            effects.changes.push(Change::Step(step));
        }
        self.run.status = RunStatus::RequiresAction;
        self.state.driven = false;
        self.run.required_action = Some(RequiredAction::submit_tool_outputs(calls));
        effects.run_changed = true;
        effects.events.push(Event::of_run(self.run.clone()));
        effects.next = Next::Park;
    }

    fn waiting_for(&self) -> impl Iterator<Item = &str> {
        let calls = self.run.required_action.as_ref().map(|action| &action.submit_tool_outputs.tool_calls);
        calls.into_iter().flatten().map(|call| call.id.as_str())
    }

    fn fill_outputs(&mut self, outputs: &[ToolOutput]) {
        let Some(StepDetails::ToolCalls { tool_calls }) =
            self.steps.last_mut().map(|step| &mut step.step_details)
        else {
            return;
        };
        for call in tool_calls {
            if let ToolCallRecord::Function { id, function } = call {
                let output = outputs.iter().find(|output| output.tool_call_id == *id);
                function.output = output.map(|output| output.output.clone().unwrap_or_default());
            }
        }
    }

    fn open_step(&self) -> Option<&RunStep> {
        self.steps.last().filter(|step| step.status == RunStepStatus::InProgress)
    }

    fn open_message(&self) -> Option<&Message> {
        self.message.as_ref().filter(|message| message.status == MessageStatus::InProgress)
    }
}
