//! Streams as a server sends them, made of few words.

use ropewalk_events::Event;
use ropewalk_types::{
    Message, MessageContent, MessageStatus, Run, RunStatus, RunStep, RunStepStatus, StepDetails, Thread,
    ToolCallRecord, UnixSeconds,
};
use serde_json::{Value, json};

/// The events told so far.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    step: Option<RunStep>,
    message: Option<Message>,
    steps: usize,
}

impl Story {
    /// A run that a worker has taken up.
    pub(crate) fn begun() -> Self {
        Self::default().made().queued().working()
    }

    pub(crate) fn with_thread(self) -> Self {
        self.tell([Event::ThreadCreated(Box::new(Thread::new("thread_1".into(), UnixSeconds(0))))])
    }

    pub(crate) fn made(self) -> Self {
        self.tell([Event::RunCreated(Box::new(run(RunStatus::Queued)))])
    }

    pub(crate) fn queued(self) -> Self {
        self.run(RunStatus::Queued)
    }

    pub(crate) fn working(self) -> Self {
        self.run(RunStatus::InProgress)
    }

    pub(crate) fn run(self, status: RunStatus) -> Self {
        self.tell([Event::of_run(run(status))])
    }

    /// Begins a step that writes a message, and the message.
    pub(crate) fn message(self) -> Self {
        let id = format!("msg_{}", self.steps + 1);
        let mut story =
            self.step(json!({ "type": "message_creation", "message_creation": { "message_id": id } }));
        let message = Message::begun_by(
            "run_1".into(),
            "asst_1".into(),
            id.as_str().into(),
            "thread_1".into(),
            UnixSeconds(0),
        );
        story.message = Some(message.clone());
        story.tell([Event::MessageCreated(Box::new(message.clone())), Event::of_message(message)])
    }

    /// Begins a step of tool calls.
    pub(crate) fn calls(self) -> Self {
        self.step(json!({ "type": "tool_calls", "tool_calls": [] }))
    }

    /// Adds parts to the open message.
    pub(crate) fn part(self, parts: Value) -> Self {
        let id = self.message.as_ref().unwrap().id.clone();
        let event = delta("thread.message.delta", id.as_str(), json!({ "content": parts }));
        self.tell([event])
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.part(json!([{ "index": 0, "type": "text", "text": { "value": value } }]))
    }

    /// Adds parts of calls to the open step.
    pub(crate) fn call(self, calls: Value) -> Self {
        let details = json!({ "step_details": { "type": "tool_calls", "tool_calls": calls } });
        let id = self.step.as_ref().unwrap().id.clone();
        self.tell([delta("thread.run.step.delta", id.as_str(), details)])
    }

    /// Ends the open message.
    pub(crate) fn written(mut self, status: MessageStatus, content: Vec<MessageContent>) -> Self {
        let mut message = self.message.take().unwrap();
        (message.status, message.content) = (status, content);
        self.tell([Event::of_message(message)])
    }

    /// Ends the open step, with `calls` if it has any.
    pub(crate) fn stepped(mut self, status: RunStepStatus, calls: Vec<ToolCallRecord>) -> Self {
        let mut step =
            self.step.take().unwrap_or_else(|| step(0, json!({ "type": "tool_calls", "tool_calls": [] })));
        step.status = status;
        if let StepDetails::ToolCalls { tool_calls } = &mut step.step_details {
            *tool_calls = calls;
        }
        self.tell([Event::of_step(step)])
    }

    pub(crate) fn done(self) -> Self {
        self.tell([Event::Done])
    }

    pub(crate) fn tell(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.events.extend(events);
        self
    }

    fn step(mut self, details: Value) -> Self {
        self.steps += 1;
        let step = step(self.steps, details);
        self.step = Some(step.clone());
        self.tell([Event::RunStepCreated(Box::new(step.clone())), Event::of_step(step)])
    }
}

/// The stream's bytes.
pub(crate) fn wire(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, event) in (1..).zip(events) {
        event.encode(&mut out, Some(id));
    }
    out
}

/// The delta `event` of the object `id`.
pub(crate) fn delta(event: &str, id: &str, delta: Value) -> Event {
    let data = json!({ "id": id, "object": event, "delta": delta }).to_string();
    let frame = ropewalk_events::Frame { event: event.into(), data: data.into(), ..Default::default() };
    Event::from_frame(&frame).unwrap()
}

pub(crate) fn run(status: RunStatus) -> Run {
    let mut run = Run::new(
        "run_1".into(),
        "thread_1".into(),
        "asst_1".into(),
        "gpt-4o".into(),
        UnixSeconds(0),
        UnixSeconds(600),
    );
    run.status = status;
    run
}

pub(crate) fn step(number: usize, details: Value) -> RunStep {
    RunStep::new(
        format!("step_{number}").into(),
        "run_1".into(),
        "thread_1".into(),
        "asst_1".into(),
        UnixSeconds(0),
        serde_json::from_value(details).unwrap(),
    )
}
