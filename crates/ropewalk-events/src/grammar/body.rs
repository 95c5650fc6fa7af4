//! What the bodies of events say about their place in the order.

use ropewalk_types::{
    Message, MessageId, MessageStatus, RunId, RunStatus, RunStep, RunStepKind, RunStepStatus, StepDetails,
};

use crate::Event;

/// The message that `step` writes, or `None` if it calls tools.
pub(super) fn written_by(step: &RunStep) -> Result<Option<MessageId>, &'static str> {
    match (&step.kind, &step.step_details) {
        (RunStepKind::MessageCreation, StepDetails::MessageCreation { message_creation }) => {
            Ok(Some(message_creation.message_id.clone()))
        }
        (RunStepKind::MessageCreation, _) => Err("a step that writes a message names it"),
        _ => Ok(None),
    }
}

/// How the run has to end behind `step`, unless that is completed.
pub(super) fn fate(step: &RunStep) -> Option<RunStatus> {
    match step.status {
        RunStepStatus::Failed => Some(RunStatus::Failed),
        RunStepStatus::Cancelled => Some(RunStatus::Cancelled),
        RunStepStatus::Expired => Some(RunStatus::Expired),
        _ => None,
    }
}

pub(super) fn run_of(event: &Event) -> Option<&RunId> {
    let message = || event.as_message().and_then(|message: &Message| message.run_id.as_ref());
    let step = || event.as_step().map(|step| &step.run_id);
    event.as_run().map(|run| &run.id).or_else(step).or_else(message)
}

pub(super) fn status_fits(event: &Event) -> bool {
    use {MessageStatus as InMessage, RunStatus as InRun, RunStepStatus as InStep};
    match event {
        Event::RunCreated(run) | Event::RunQueued(run) => run.status == InRun::Queued,
        Event::RunInProgress(run) => run.status == InRun::InProgress,
        Event::RunRequiresAction(run) => run.status == InRun::RequiresAction,
        Event::RunCompleted(run) => run.status == InRun::Completed,
        Event::RunIncomplete(run) => run.status == InRun::Incomplete,
        Event::RunFailed(run) => run.status == InRun::Failed,
        Event::RunCancelling(run) => run.status == InRun::Cancelling,
        Event::RunCancelled(run) => run.status == InRun::Cancelled,
        Event::RunExpired(run) => run.status == InRun::Expired,
        Event::RunStepCreated(step) | Event::RunStepInProgress(step) => step.status == InStep::InProgress,
        Event::RunStepCompleted(step) => step.status == InStep::Completed,
        Event::RunStepFailed(step) => step.status == InStep::Failed,
        Event::RunStepCancelled(step) => step.status == InStep::Cancelled,
        Event::RunStepExpired(step) => step.status == InStep::Expired,
        Event::MessageCreated(message) | Event::MessageInProgress(message) => {
            message.status == InMessage::InProgress
        }
        Event::MessageCompleted(message) => message.status == InMessage::Completed,
        Event::MessageIncomplete(message) => message.status == InMessage::Incomplete,
        _ => true,
    }
}
