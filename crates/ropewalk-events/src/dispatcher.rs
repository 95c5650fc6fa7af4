use std::{future::poll_fn, pin::pin};

use futures_core::Stream;
use ropewalk_types::{
    ContentDelta, MessageContent, MessageDelta, RunStepDelta, StepDetailsDelta, ToolCallRecord,
};

use crate::{
    Event, EventHandler, Snapshot, SnapshotError,
    accumulator::{call_index, content_index},
    snapshot::tool_calls,
};

/// Tells an [`EventHandler`] what a stream of events means.
///
/// Moments and their order are those of the official Python SDK, save that each thing is told to be done once: the
/// SDK forgets to close the last tool call, and tells of it again with each step behind it.
#[derive(Debug)]
pub struct Dispatcher<H> {
    handler: H,
    snapshot: Snapshot,
    /// The part of the current message that was changed last.
    part: Option<usize>,
    /// The call of the open step that was changed last.
    call: Option<usize>,
    ended: bool,
}

impl<H: EventHandler> Dispatcher<H> {
    /// Tells `handler`; nothing has come yet.
    pub fn new(handler: H) -> Self {
        Self { handler, snapshot: Snapshot::new(), part: None, call: None, ended: false }
    }

    /// What the events so far add up to.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler and what the events added up to.
    pub fn into_parts(self) -> (H, Snapshot) {
        (self.handler, self.snapshot)
    }

    /// Takes all of `events` in order, then ends, whatever happened.
    ///
    /// # Errors
    ///
    /// The first error of `events`, or a [`SnapshotError`].
    pub async fn drive<S, E>(&mut self, events: S) -> Result<(), E>
    where
        S: Stream<Item = Result<Event, E>>,
        E: From<SnapshotError>,
    {
        let mut events = pin!(events);
        let mut result = Ok(());
        while let (Ok(()), Some(event)) = (&result, poll_fn(|cx| events.as_mut().poll_next(cx)).await) {
            result = match event {
                Ok(event) => self.dispatch(&event).await.map_err(E::from),
                Err(error) => Err(error),
            };
        }
        self.finish().await;
        result
    }

    /// Takes the next event.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the event does not add up with those before it.
    pub async fn dispatch(&mut self, event: &Event) -> Result<(), SnapshotError> {
        self.handler.on_event(event).await;
        let known_parts = match event {
            Event::MessageDelta(delta) => {
                self.snapshot.message(&delta.id).map_or(0, |message| message.content.len())
            }
            _ => 0,
        };
        self.end_open(event).await;
        self.snapshot.apply(event)?;
        match event {
            Event::RunStepCreated(step) => self.handler.on_run_step_created(step).await,
            Event::RunStepDelta(delta) => self.step_grew(delta).await,
            Event::RunStepCompleted(step)
            | Event::RunStepFailed(step)
            | Event::RunStepCancelled(step)
            | Event::RunStepExpired(step) => self.handler.on_run_step_done(step).await,
            Event::MessageCreated(message) => {
                self.part = None;
                self.handler.on_message_created(message).await;
            }
            Event::MessageDelta(delta) => self.message_grew(delta, known_parts).await,
            Event::MessageCompleted(message) | Event::MessageIncomplete(message) => {
                self.handler.on_message_done(message).await
            }
            Event::RunRequiresAction(run) => self.handler.on_requires_action(run).await,
            Event::RunCompleted(run)
            | Event::RunIncomplete(run)
            | Event::RunFailed(run)
            | Event::RunCancelled(run)
            | Event::RunExpired(run) => self.handler.on_run_done(run).await,
            Event::Error(error) => self.handler.on_error(error).await,
            Event::Done => self.finish().await,
            _ => {}
        }
        Ok(())
    }

    /// Says that no more events come; done by itself behind [`Event::Done`], and once only.
    pub async fn finish(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.handler.on_end().await;
        }
    }

    async fn message_grew(&mut self, delta: &MessageDelta, mut known_parts: usize) {
        let Some(message) = self.snapshot.current_message() else { return };
        let places =
            || delta.delta.content.iter().filter_map(|part| Some((place(content_index(part))?, part)));
        for (at, _) in places() {
            if at >= known_parts {
                known_parts = at + 1;
                if let Some(MessageContent::Text { text }) = message.content.get(at) {
                    self.handler.on_text_created(text).await;
                }
            }
        }
        for (at, part) in places() {
            if let (ContentDelta::Text { text: Some(delta), .. }, Some(MessageContent::Text { text })) =
                (part, message.content.get(at))
            {
                self.handler.on_text_delta(delta, text).await;
            }
            if let Some(before) = self.part.replace(at).filter(|before| *before != at) {
                end_part(&mut self.handler, message.content.get(before)).await;
            }
        }
        self.handler.on_message_delta(delta, message).await;
    }

    async fn step_grew(&mut self, delta: &RunStepDelta) {
        let Some(step) = self.snapshot.step(&delta.id) else { return };
        let calls = tool_calls(step);
        if let Some(StepDetailsDelta::ToolCalls { tool_calls: deltas }) = &delta.delta.step_details {
            for delta in deltas {
                let Some((at, call)) = place(call_index(delta)).and_then(|at| Some((at, calls.get(at)?)))
                else {
                    continue;
                };
                if self.call == Some(at) {
                    self.handler.on_tool_call_delta(delta, call).await;
                    continue;
                }
                if let Some(before) = self.call.replace(at).and_then(|before| calls.get(before)) {
                    self.handler.on_tool_call_done(before).await;
                }
                self.handler.on_tool_call_created(call).await;
            }
        }
        self.handler.on_run_step_delta(delta, step).await;
    }

    /// Tells that the open part or call is done, if `event` ends what holds it.
    ///
    /// What ends has the last word, so it is asked before it replaces the sum; what it leaves out is as it was.
    async fn end_open(&mut self, event: &Event) {
        match event {
            Event::MessageCompleted(message) | Event::MessageIncomplete(message) => {
                let sum = self.snapshot.message(&message.id);
                let open = self.part.take();
                let part = open.and_then(|at| message.content.get(at).or_else(|| sum?.content.get(at)));
                end_part(&mut self.handler, part).await;
            }
            Event::RunStepCompleted(step)
            | Event::RunStepFailed(step)
            | Event::RunStepCancelled(step)
            | Event::RunStepExpired(step) => self.end_call(tool_calls(step)).await,
            Event::RunRequiresAction(_)
            | Event::RunCompleted(_)
            | Event::RunIncomplete(_)
            | Event::RunFailed(_)
            | Event::RunCancelled(_)
            | Event::RunExpired(_) => self.end_call(&[]).await,
            _ => {}
        }
    }

    async fn end_call(&mut self, calls: &[ToolCallRecord]) {
        let open = self.call.take();
        if let Some(call) = open.and_then(|at| calls.get(at).or(self.snapshot.current_tool_call())) {
            self.handler.on_tool_call_done(call).await;
        }
    }
}

fn place(index: Option<u64>) -> Option<usize> {
    usize::try_from(index?).ok()
}

async fn end_part(handler: &mut impl EventHandler, part: Option<&MessageContent>) {
    match part {
        Some(MessageContent::Text { text }) => handler.on_text_done(text).await,
        Some(MessageContent::ImageFile { image_file }) => handler.on_image_file_done(image_file).await,
        _ => {}
    }
}
