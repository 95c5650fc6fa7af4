use ropewalk_types::{
    ErrorObject, Message, MessageDelta, MessageStatus, Run, RunStatus, RunStep, RunStepDelta, RunStepStatus,
    Thread,
};
use serde::Serialize;
use serde_json::Value;

use crate::{EventError, Frame, Utf8Bytes, encode_frame, encode_text_frame};

/// The table of events whose data is one object: variant, body, name on the wire.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $name:literal;)*) => {
        /// One event of a run's stream.
        ///
        /// Deltas are the many, so they are held in place; whole objects are boxed, and an event stays small.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $variant($body),)*
            /// The stream broke on the server's side; how its run stands is unknown.
            Error(Box<ErrorObject>),
            /// The last event.
            Done,
            /// An event newer than this crate, kept word for word.
            Unknown {
                /// Its name.
                event: Utf8Bytes,
                /// Its data.
                data: Utf8Bytes,
            },
        }

        impl Event {
            /// The event's name on the wire.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Error(_) => "error",
                    Self::Done => "done",
                    Self::Unknown { event, .. } => event,
                }
            }

            /// `name`, if it is one of the table.
            pub(crate) fn known_name(name: &str) -> Option<&'static str> {
                match name {
                    $($name => Some($name),)*
                    _ => None,
                }
            }

            /// Reads `frame`.
            ///
            /// An error is read in each of its forms: bare, within an `error` member, without a name, as text.
            ///
            /// # Errors
            ///
            /// [`EventError`] if the name is known and the body does not fit it.
            pub fn from_frame(frame: &Frame) -> Result<Self, EventError> {
                match frame.event.as_str() {
                    $($name => match serde_json::from_str(&frame.data) {
                        Ok(body) => Ok(Self::$variant(body)),
                        Err(source) => Err(EventError { event: $name, source }),
                    },)*
                    _ => Ok(Self::from_other(frame)),
                }
            }

            /// Appends the event as a frame; with an `id`, a client can resume behind it.
            pub fn encode(&self, out: &mut Vec<u8>, id: Option<u64>) {
                let written = match self {
                    $(Self::$variant(body) => encode_frame(out, $name, id, body),)*
                    Self::Error(error) => encode_frame(out, "error", id, &ErrorBoth { error, bare: error }),
                    Self::Done => Ok(encode_text_frame(out, "done", id, DONE)),
                    Self::Unknown { event, data } => Ok(encode_text_frame(out, event, id, data)),
                };
                debug_assert!(written.is_ok(), "all keys of our types are strings");
            }
        }
    };
}

events! {
    /// A thread was made, by the request that also made the run.
    ThreadCreated(Box<Thread>) = "thread.created";
    /// A run was made.
    RunCreated(Box<Run>) = "thread.run.created";
    /// A run waits for a worker.
    RunQueued(Box<Run>) = "thread.run.queued";
    /// A worker took a run up.
    RunInProgress(Box<Run>) = "thread.run.in_progress";
    /// A run waits for tool outputs.
    RunRequiresAction(Box<Run>) = "thread.run.requires_action";
    /// A run is done.
    RunCompleted(Box<Run>) = "thread.run.completed";
    /// A run was stopped by a limit.
    RunIncomplete(Box<Run>) = "thread.run.incomplete";
    /// A run was stopped by a fault.
    RunFailed(Box<Run>) = "thread.run.failed";
    /// A run was asked to stop.
    RunCancelling(Box<Run>) = "thread.run.cancelling";
    /// A run stopped because it was asked to.
    RunCancelled(Box<Run>) = "thread.run.cancelled";
    /// A run was stopped by the clock.
    RunExpired(Box<Run>) = "thread.run.expired";
    /// A step begins.
    RunStepCreated(Box<RunStep>) = "thread.run.step.created";
    /// A step goes on.
    RunStepInProgress(Box<RunStep>) = "thread.run.step.in_progress";
    /// More of a step.
    RunStepDelta(RunStepDelta) = "thread.run.step.delta";
    /// A step is done.
    RunStepCompleted(Box<RunStep>) = "thread.run.step.completed";
    /// A step failed, and its run with it.
    RunStepFailed(Box<RunStep>) = "thread.run.step.failed";
    /// A step was cut off as its run was cancelled.
    RunStepCancelled(Box<RunStep>) = "thread.run.step.cancelled";
    /// A step was cut off as its run expired.
    RunStepExpired(Box<RunStep>) = "thread.run.step.expired";
    /// A message begins.
    MessageCreated(Box<Message>) = "thread.message.created";
    /// A message goes on.
    MessageInProgress(Box<Message>) = "thread.message.in_progress";
    /// More of a message.
    MessageDelta(MessageDelta) = "thread.message.delta";
    /// A message is whole.
    MessageCompleted(Box<Message>) = "thread.message.completed";
    /// A message was cut short.
    MessageIncomplete(Box<Message>) = "thread.message.incomplete";
}

const DONE: &str = "[DONE]";

/// An error in both forms that clients look for.
#[derive(Serialize)]
struct ErrorBoth<'a> {
    error: &'a ErrorObject,
    #[serde(flatten)]
    bare: &'a ErrorObject,
}

impl Event {
    /// The event that tells of `run`'s status.
    pub fn of_run(run: impl Into<Box<Run>>) -> Self {
        let run = run.into();
        match &run.status {
            RunStatus::Queued => Self::RunQueued(run),
            RunStatus::InProgress => Self::RunInProgress(run),
            RunStatus::RequiresAction => Self::RunRequiresAction(run),
            RunStatus::Cancelling => Self::RunCancelling(run),
            RunStatus::Cancelled => Self::RunCancelled(run),
            RunStatus::Failed => Self::RunFailed(run),
            RunStatus::Completed => Self::RunCompleted(run),
            RunStatus::Incomplete => Self::RunIncomplete(run),
            RunStatus::Expired => Self::RunExpired(run),
            status => Self::of_new_status("thread.run", status.as_str(), &run),
        }
    }

    /// The event that tells of `step`'s status.
    pub fn of_step(step: impl Into<Box<RunStep>>) -> Self {
        let step = step.into();
        match &step.status {
            RunStepStatus::InProgress => Self::RunStepInProgress(step),
            RunStepStatus::Completed => Self::RunStepCompleted(step),
            RunStepStatus::Failed => Self::RunStepFailed(step),
            RunStepStatus::Cancelled => Self::RunStepCancelled(step),
            RunStepStatus::Expired => Self::RunStepExpired(step),
            RunStepStatus::Unknown(status) => Self::of_new_status("thread.run.step", status, &step),
            _ => Self::RunStepInProgress(step),
        }
    }

    /// The event that tells of `message`'s status.
    pub fn of_message(message: impl Into<Box<Message>>) -> Self {
        let message = message.into();
        match &message.status {
            MessageStatus::InProgress => Self::MessageInProgress(message),
            MessageStatus::Completed => Self::MessageCompleted(message),
            MessageStatus::Incomplete => Self::MessageIncomplete(message),
            MessageStatus::Unknown(status) => Self::of_new_status("thread.message", status, &message),
            _ => Self::MessageInProgress(message),
        }
    }

    /// The run that the event carries.
    pub fn as_run(&self) -> Option<&Run> {
        match self {
            Self::RunCreated(run)
            | Self::RunQueued(run)
            | Self::RunInProgress(run)
            | Self::RunRequiresAction(run)
            | Self::RunCompleted(run)
            | Self::RunIncomplete(run)
            | Self::RunFailed(run)
            | Self::RunCancelling(run)
            | Self::RunCancelled(run)
            | Self::RunExpired(run) => Some(run),
            _ => None,
        }
    }

    /// The whole step that the event carries.
    pub fn as_step(&self) -> Option<&RunStep> {
        match self {
            Self::RunStepCreated(step)
            | Self::RunStepInProgress(step)
            | Self::RunStepCompleted(step)
            | Self::RunStepFailed(step)
            | Self::RunStepCancelled(step)
            | Self::RunStepExpired(step) => Some(step),
            _ => None,
        }
    }

    /// The whole message that the event carries.
    pub fn as_message(&self) -> Option<&Message> {
        match self {
            Self::MessageCreated(message)
            | Self::MessageInProgress(message)
            | Self::MessageCompleted(message)
            | Self::MessageIncomplete(message) => Some(message),
            _ => None,
        }
    }

    fn of_new_status(object: &str, status: &str, body: &impl Serialize) -> Self {
        let data = serde_json::to_string(body).unwrap_or_default();
        Self::Unknown { event: format!("{object}.{status}").into(), data: data.into() }
    }

    /// Reads a frame that is not in the table. As in the SDKs, a name outside `thread.` may hide an error or the end.
    fn from_other(frame: &Frame) -> Self {
        let Frame { event, data, .. } = frame;
        match event.as_str() {
            "error" => Self::Error(Box::new(read_error(data))),
            "done" => Self::Done,
            name if !name.starts_with("thread.") && data == DONE => Self::Done,
            name if !name.starts_with("thread.") && wraps_error(data) => {
                Self::Error(Box::new(read_error(data)))
            }
            _ => Self::Unknown { event: event.clone(), data: data.clone() },
        }
    }
}

fn wraps_error(data: &str) -> bool {
    let body: Value = serde_json::from_str(data).unwrap_or_default();
    body.get("error").is_some_and(|error| !matches!(error, Value::Null | Value::Bool(false)))
}

/// Never fails: an error that cannot be read is still an error, and its text the best message there is.
fn read_error(data: &str) -> ErrorObject {
    let body: Value = serde_json::from_str(data).unwrap_or_default();
    let body = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
    let word = |key| match body.get(key)? {
        Value::Null => None,
        Value::String(word) => Some(word.clone()),
        other => Some(other.to_string()),
    };
    let mut error = ErrorObject::server(word("message").unwrap_or_else(|| data.to_owned()));
    error.kind = word("type").unwrap_or(error.kind);
    error.param = word("param");
    error.code = word("code");
    error
}

#[cfg(test)]
mod tests;
