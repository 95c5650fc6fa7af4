//! How a run ends, and what that does to its open step and message (contract: BEHAVIOUR 4.2).

use ropewalk_events::Event;
use ropewalk_types::{
    IncompleteReason, LastError, MessageIncompleteDetails, MessageStatus, RunIncompleteDetails,
    RunIncompleteReason, RunStatus, RunStepStatus, Usage,
};

use super::{Change, Context, Effects, Failure, Machine, Next};

/// The ways a run ends.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    Completed,
    Limit(RunIncompleteReason),
    ContentFilter,
    Cancelled,
    Expired,
    Failed(Failure),
}

impl Ending {
    fn run_status(&self) -> RunStatus {
        match self {
            Self::Completed => RunStatus::Completed,
            Self::Limit(_) | Self::ContentFilter => RunStatus::Incomplete,
            Self::Cancelled => RunStatus::Cancelled,
            Self::Expired => RunStatus::Expired,
            Self::Failed(_) => RunStatus::Failed,
        }
    }

    fn step_status(&self) -> RunStepStatus {
        match self {
            Self::Cancelled => RunStepStatus::Cancelled,
            Self::Expired => RunStepStatus::Expired,
            Self::Failed(_) => RunStepStatus::Failed,
            _ => RunStepStatus::Completed,
        }
    }

    fn message_reason(&self) -> Option<IncompleteReason> {
        match self {
            Self::Completed => None,
            Self::Limit(_) => Some(IncompleteReason::MaxTokens),
            Self::ContentFilter => Some(IncompleteReason::ContentFilter),
            Self::Cancelled => Some(IncompleteReason::RunCancelled),
            Self::Expired => Some(IncompleteReason::RunExpired),
            Self::Failed(_) => Some(IncompleteReason::RunFailed),
        }
    }

    fn run_incomplete_details(&self) -> Option<RunIncompleteDetails> {
        let reason = match self {
            Self::Limit(reason) => Some(reason.clone()),
            // The API has no word for it on a run; the message's reason says it.
            Self::ContentFilter => None,
            _ => return None,
        };
        Some(RunIncompleteDetails { reason })
    }
}

impl Machine {
    /// Ends the run: message, step and run, in this order.
    pub(super) fn end(&mut self, ending: Ending, context: &Context<'_>, effects: &mut Effects) {
        let last_error = match &ending {
            Ending::Failed(failure) => Some(LastError::from(failure.clone())),
            _ => None,
        };
        self.close_message(ending.message_reason(), context, effects);
        // A turn that did not come to its end may have been paid for all the same.
        if let Some(usage) = self.turn.usage.take() {
            self.state.usage += usage;
            self.state.step_usage = Some(usage);
        }
        let usage = self.state.step_usage.take();
        self.close_step(ending.step_status(), usage, last_error.clone(), context, effects);
        self.state.answering = false;
        // Nobody will answer the calls that this text stood behind; it is kept as what it is, cut off.
        let late_text = std::mem::take(&mut self.state.late_text);
        if !late_text.is_empty() {
            self.add_text(late_text, context, effects);
            self.close_message(ending.message_reason(), context, effects);
            self.close_step(ending.step_status(), None, last_error.clone(), context, effects);
        }

        let run = &mut self.run;
        run.status = ending.run_status();
        run.required_action = None;
        run.expires_at = None;
        run.last_error = last_error;
        run.incomplete_details = ending.run_incomplete_details();
        run.usage = Some(self.state.usage);
        let moment = match run.status {
            RunStatus::Completed => Some(&mut run.completed_at),
            RunStatus::Cancelled => Some(&mut run.cancelled_at),
            RunStatus::Failed => Some(&mut run.failed_at),
            _ => None,
        };
        if let Some(moment) = moment {
            *moment = Some(context.now);
        }
        effects.run_changed = true;
        effects.events.push(Event::of_run(run.clone()));
        effects.next = Next::End;
    }

    /// Closes the open message, if there is one: whole without a `reason`, else cut short.
    pub(super) fn close_message(
        &mut self,
        reason: Option<IncompleteReason>,
        context: &Context<'_>,
        effects: &mut Effects,
    ) {
        if self.open_message().is_none() {
            return;
        }
        self.end_text(effects);
        let Some(mut message) = self.message.take() else { return };
        match reason {
            None => {
                message.status = MessageStatus::Completed;
                message.completed_at = Some(context.now);
            }
            Some(reason) => {
                message.status = MessageStatus::Incomplete;
                message.incomplete_at = Some(context.now);
                message.incomplete_details = Some(MessageIncompleteDetails { reason });
            }
        }
        effects.changes.push(Change::Message(message.clone()));
        effects.events.push(Event::of_message(message));
    }

    /// Closes the open step, if there is one.
    pub(super) fn close_step(
        &mut self,
        status: RunStepStatus,
        usage: Option<Usage>,
        last_error: Option<LastError>,
        context: &Context<'_>,
        effects: &mut Effects,
    ) {
        if self.open_step().is_none() {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        let moment = match status {
            RunStepStatus::Cancelled => &mut step.cancelled_at,
            RunStepStatus::Expired => &mut step.expired_at,
            RunStepStatus::Failed => &mut step.failed_at,
            _ => &mut step.completed_at,
        };
        *moment = Some(context.now);
        step.status = status;
        step.usage = usage;
        step.last_error = last_error;
        effects.changes.push(Change::Step(step.clone()));
        effects.events.push(Event::of_step(step.clone()));
    }
}
