use ropewalk_types::{
    Message, MessageDelta, MessageId, Run, RunStep, RunStepDelta, RunStepId, StepDetails, StepDetailsDelta,
    Thread, ToolCallRecord,
};

use crate::{
    Event, SnapshotError,
    accumulator::{Accumulator, call_index},
};

/// The objects of a run, summed up from its events so far.
///
/// Deltas are appended to what the stream created; the object that ends a step or a message replaces the sum. It
/// grows by what is sent and little more: a list that skips indices may leave 1,024 holes, and has 65,536 entries
/// at most.
///
/// ```
/// # use ropewalk_events::{Event, Frame, Snapshot};
/// # let created = r#"{"id":"msg_1","created_at":0,"thread_id":"thread_1","status":"in_progress","role":"assistant","content":[]}"#;
/// # let frame = |event: &str, data: &str| Frame { event: event.into(), data: data.into(), ..Frame::default() };
/// let mut snapshot = Snapshot::new();
/// snapshot.apply(&Event::from_frame(&frame("thread.message.created", created))?)?;
/// for word in ["Hel", "lo"] {
///     let delta = format!(r#"{{"id":"msg_1","delta":{{"content":[{{"index":0,"type":"text","text":{{"value":"{word}"}}}}]}}}}"#);
///     snapshot.apply(&Event::from_frame(&frame("thread.message.delta", &delta))?)?;
/// }
/// assert_eq!(snapshot.current_message().map(|message| message.text()).as_deref(), Some("Hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    thread: Option<Thread>,
    run: Option<Run>,
    messages: Vec<Message>,
    steps: Vec<RunStep>,
    /// Place of the message that was changed last.
    message: Option<usize>,
    /// Places of the step that is open and of the call in it that was changed last.
    call: Option<(usize, usize)>,
    accumulator: Accumulator,
}

impl Snapshot {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if a delta goes to an object that no event has brought, or to a place out of bounds. What
    /// the delta says before that place may then have been added.
    pub fn apply(&mut self, event: &Event) -> Result<(), SnapshotError> {
        match event {
            Event::ThreadCreated(thread) => self.thread = Some(Thread::clone(thread)),
            Event::MessageDelta(delta) => self.add_to_message(delta)?,
            Event::RunStepDelta(delta) => self.add_to_step(delta)?,
            Event::MessageInProgress(message) if self.message(&message.id).is_some() => {}
            Event::RunStepInProgress(step) if self.step(&step.id).is_some() => {}
            _ => {
                if let Some(run) = event.as_run() {
                    self.run = Some(run.clone());
                } else if let Some(message) = event.as_message() {
                    let at = self.place_of_message(&message.id);
                    self.message = Some(put(&mut self.messages, at, message));
                } else if let Some(step) = event.as_step() {
                    let at = self.place_of_step(&step.id);
                    let at = put(&mut self.steps, at, step);
                    self.call = self.call.filter(|(open, _)| *open != at);
                }
            }
        }
        Ok(())
    }

    /// The thread, if the stream made it.
    pub fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref()
    }

    /// The run, as it was told last.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The message `id`.
    pub fn message(&self, id: &MessageId) -> Option<&Message> {
        self.place_of_message(id).map(|at| &self.messages[at])
    }

    /// All messages of the stream, in order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The step `id`.
    pub fn step(&self, id: &RunStepId) -> Option<&RunStep> {
        self.place_of_step(id).map(|at| &self.steps[at])
    }

    /// All steps of the stream, in order.
    pub fn steps(&self) -> &[RunStep] {
        &self.steps
    }

    /// The message that was changed last.
    pub fn current_message(&self) -> Option<&Message> {
        self.messages.get(self.message?)
    }

    /// The tool call that was changed last, while its step is open.
    pub fn current_tool_call(&self) -> Option<&ToolCallRecord> {
        let (step, call) = self.call?;
        tool_calls(self.steps.get(step)?).get(call)
    }

    fn add_to_message(&mut self, delta: &MessageDelta) -> Result<(), SnapshotError> {
        let at =
            self.place_of_message(&delta.id).ok_or_else(|| SnapshotError::NoMessage(delta.id.clone()))?;
        self.message = Some(at);
        let parts = &mut self.messages[at].content;
        delta.delta.content.iter().try_for_each(|part| self.accumulator.content(parts, part))
    }

    fn add_to_step(&mut self, delta: &RunStepDelta) -> Result<(), SnapshotError> {
        let at = self.place_of_step(&delta.id).ok_or_else(|| SnapshotError::NoStep(delta.id.clone()))?;
        let details = &mut self.steps[at].step_details;
        match (&delta.delta.step_details, &mut *details) {
            (
                Some(StepDetailsDelta::ToolCalls { tool_calls }),
                StepDetails::ToolCalls { .. } | StepDetails::Unknown(_),
            ) => {
                // `created` may come without the empty list, and is then not known as a step of tool calls.
                if matches!(details, StepDetails::Unknown(_)) {
                    *details = StepDetails::ToolCalls { tool_calls: Vec::new() };
                }
                let StepDetails::ToolCalls { tool_calls: sum } = details else { return Ok(()) };
                for delta in tool_calls {
                    self.accumulator.tool_call(sum, delta)?;
                    self.call = call_index(delta).and_then(|index| Some((at, usize::try_from(index).ok()?)));
                }
                Ok(())
            }
            (Some(StepDetailsDelta::ToolCalls { .. }), _) => {
                Err(SnapshotError::NoToolCalls(delta.id.clone()))
            }
            (Some(StepDetailsDelta::Unknown(delta)), StepDetails::Unknown(sum)) => {
                self.accumulator.value(sum, delta, false)
            }
            // A delta of a step that writes a message says nothing that its creation did not.
            _ => Ok(()),
        }
    }

    // Deltas go to the newest object, so the search begins there.

    fn place_of_message(&self, id: &MessageId) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == *id)
    }

    fn place_of_step(&self, id: &RunStepId) -> Option<usize> {
        self.steps.iter().rposition(|step| step.id == *id)
    }
}

/// The tool calls of `step`.
pub(crate) fn tool_calls(step: &RunStep) -> &[ToolCallRecord] {
    match &step.step_details {
        StepDetails::ToolCalls { tool_calls } => tool_calls,
        _ => &[],
    }
}

/// Replaces the object at `at`, or appends it; returns its place.
fn put<T: Clone>(list: &mut Vec<T>, at: Option<usize>, object: &T) -> usize {
    let at = at.unwrap_or(list.len());
    match list.get_mut(at) {
        Some(old) => old.clone_from(object),
        None => list.push(object.clone()),
    }
    at
}
