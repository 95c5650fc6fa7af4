use async_trait::async_trait;
use futures_util::{FutureExt, stream};
use proptest::{collection::vec, prelude::*};
use ropewalk_events::{Dispatcher, Event, EventHandler, Grammar, Snapshot, StreamError};
use ropewalk_types::{
    ErrorObject, ImageFile, Message, MessageContent, MessageDelta, MessageStatus, Run, RunStatus, RunStep,
    RunStepDelta, RunStepStatus, Text, TextDelta, ToolCallDelta, ToolCallRecord,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    grammar::{End, Start, ends, grammar, legal, starts},
    story::Story,
};

/// Writes down what it is told.
#[derive(Default)]
struct Scribe(String);

impl Scribe {
    fn note(&mut self, callback: &str, parts: &[&dyn ToJson]) {
        let parts: Vec<String> = parts.iter().map(|part| part.to_json()).collect();
        self.0 += &format!("  {callback} {}", parts.join(" | "));
        self.0.truncate(self.0.trim_end().len());
        self.0.push('\n');
    }
}

trait ToJson: Sync {
    fn to_json(&self) -> String;
}

impl<T: Serialize + Sync> ToJson for T {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap()
    }
}

#[async_trait]
impl EventHandler for Scribe {
    async fn on_event(&mut self, event: &Event) {
        self.0 += &format!("{}\n", event.name());
    }
    async fn on_run_step_created(&mut self, step: &RunStep) {
        self.note("on_run_step_created", &[&step.id]);
    }
    async fn on_run_step_delta(&mut self, delta: &RunStepDelta, snapshot: &RunStep) {
        self.note("on_run_step_delta", &[&delta.id, &snapshot.id]);
    }
    async fn on_run_step_done(&mut self, step: &RunStep) {
        self.note("on_run_step_done", &[&step.id, &step.status]);
    }
    async fn on_tool_call_created(&mut self, call: &ToolCallRecord) {
        self.note("on_tool_call_created", &[call]);
    }
    async fn on_tool_call_delta(&mut self, delta: &ToolCallDelta, snapshot: &ToolCallRecord) {
        self.note("on_tool_call_delta", &[delta, snapshot]);
    }
    async fn on_tool_call_done(&mut self, call: &ToolCallRecord) {
        self.note("on_tool_call_done", &[call]);
    }
    async fn on_message_created(&mut self, message: &Message) {
        self.note("on_message_created", &[&message.id]);
    }
    async fn on_message_delta(&mut self, delta: &MessageDelta, snapshot: &Message) {
        self.note("on_message_delta", &[&delta.id, &snapshot.text()]);
    }
    async fn on_message_done(&mut self, message: &Message) {
        self.note("on_message_done", &[&message.id, &message.status, &message.text()]);
    }
    async fn on_text_created(&mut self, text: &Text) {
        self.note("on_text_created", &[text]);
    }
    async fn on_text_delta(&mut self, delta: &TextDelta, snapshot: &Text) {
        self.note("on_text_delta", &[delta, snapshot]);
    }
    async fn on_text_done(&mut self, text: &Text) {
        self.note("on_text_done", &[text]);
    }
    async fn on_image_file_done(&mut self, image: &ImageFile) {
        self.note("on_image_file_done", &[image]);
    }
    async fn on_requires_action(&mut self, run: &Run) {
        self.note("on_requires_action", &[&run.status]);
    }
    async fn on_run_done(&mut self, run: &Run) {
        self.note("on_run_done", &[&run.status]);
    }
    async fn on_error(&mut self, error: &ErrorObject) {
        self.note("on_error", &[error]);
    }
    async fn on_end(&mut self) {
        self.note("on_end", &[]);
    }
}

type Never = StreamError<std::io::Error>;

/// What a handler is told of a legal stream.
fn transcript(mut grammar: Grammar, story: Story) -> String {
    story.events.iter().for_each(|event| grammar.accept(event).unwrap());
    assert!(grammar.is_finished());
    let mut dispatcher = Dispatcher::new(Scribe::default());
    let events = stream::iter(story.events.into_iter().map(Ok::<_, Never>));
    fn is_send<T: Send>(it: T) -> T {
        it
    }
    is_send(dispatcher.drive(events)).now_or_never().unwrap().unwrap();
    dispatcher.into_parts().0.0
}

fn text(value: &str) -> MessageContent {
    MessageContent::Text { text: Text { value: value.to_owned(), annotations: Vec::new() } }
}

fn records(calls: serde_json::Value) -> Vec<ToolCallRecord> {
    serde_json::from_value(calls).unwrap()
}

#[test]
fn a_text_stream() {
    let story = Story::begun()
        .message()
        .part(json!([{ "index": 0, "type": "text", "text": { "value": "Hel", "annotations": [] } }]))
        .text("lo")
        .written(MessageStatus::Completed, vec![text("Hello")])
        .stepped(RunStepStatus::Completed, vec![])
        .run(RunStatus::Completed)
        .done();
    insta::assert_snapshot!(transcript(Grammar::create_run(), story));
}

#[test]
fn parallel_function_calls_and_the_stream_that_goes_on() {
    let part = |index: u64, body: serde_json::Value| json!([{ "index": index, "type": "function", "function": body }]);
    let first = |index: u64, id: &str| json!([{ "index": index, "type": "function", "id": id, "function": { "name": "f", "arguments": "", "output": null } }]);
    let asked = Story::begun()
        .calls()
        .call(first(0, "call_1"))
        .call(part(0, json!({ "arguments": "{\"a\"" })))
        .call(part(0, json!({ "arguments": ":1}" })))
        .call(first(1, "call_2"))
        .call(part(1, json!({ "arguments": "{}" })))
        .run(RunStatus::RequiresAction)
        .done();
    let answered = Story::default()
        .stepped(RunStepStatus::Completed, vec![])
        .queued()
        .working()
        .message()
        .text("1")
        .written(MessageStatus::Completed, vec![text("1")])
        .stepped(RunStepStatus::Completed, vec![])
        .run(RunStatus::Completed)
        .done();
    insta::assert_snapshot!("functions", transcript(Grammar::create_run(), asked));
    insta::assert_snapshot!("outputs", transcript(Grammar::submit_tool_outputs(), answered));
}

#[test]
fn code_that_draws_then_an_answer_in_two_parts() {
    let cell = |body: serde_json::Value| json!([{ "index": 0, "type": "code_interpreter", "code_interpreter": body }]);
    let ran = json!([{ "type": "code_interpreter", "id": "call_1", "code_interpreter": {
        "input": "plot(1)",
        "outputs": [{ "type": "logs", "logs": "1\n2\n" }, { "type": "image", "image": { "file_id": "file-1" } }],
    } }]);
    let image: MessageContent =
        serde_json::from_value(json!({ "type": "image_file", "image_file": { "file_id": "file-1" } }))
            .unwrap();
    let story = Story::begun()
        .calls()
        .call(json!([{ "index": 0, "type": "code_interpreter", "id": "call_1", "code_interpreter": { "input": "", "outputs": [] } }]))
        .call(cell(json!({ "input": "plot" })))
        .call(cell(json!({ "input": "(1)" })))
        .call(cell(json!({ "outputs": [{ "index": 0, "type": "logs", "logs": "1\n" }] })))
        .call(cell(json!({ "outputs": [{ "index": 0, "type": "logs", "logs": "2\n" }] })))
        .call(cell(json!({ "outputs": [{ "index": 1, "type": "image", "image": { "file_id": "file-1" } }] })))
        .stepped(RunStepStatus::Completed, records(ran))
        .message()
        .part(json!([{ "index": 0, "type": "image_file", "image_file": { "file_id": "file-1" } }]))
        .part(json!([{ "index": 1, "type": "text", "text": { "value": "A", "annotations": [] } }]))
        .part(json!([{ "index": 1, "type": "text", "text": { "value": " point." } }]))
        .written(MessageStatus::Completed, vec![image, text("A point.")])
        .stepped(RunStepStatus::Completed, vec![])
        .run(RunStatus::Completed)
        .done();
    insta::assert_snapshot!(transcript(Grammar::create_run(), story));
}

#[test]
fn a_run_that_is_cancelled_in_mid_text() {
    let story = Story::begun()
        .message()
        .text("Hel")
        .run(RunStatus::Cancelling)
        .written(MessageStatus::Incomplete, vec![text("Hel")])
        .stepped(RunStepStatus::Cancelled, vec![])
        .run(RunStatus::Cancelled)
        .done();
    insta::assert_snapshot!(transcript(Grammar::create_run(), story));
}

#[test]
fn a_stream_that_breaks_in_mid_text() {
    let error = ErrorObject::server("Sorry, something went wrong.");
    let story = Story::begun().message().text("Hel").tell([Event::Error(Box::new(error))]).done();
    insta::assert_snapshot!(transcript(Grammar::create_run(), story));
}

proptest! {
    #[test]
    fn what_is_created_is_done_once(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..4), end in ends(),
    ) {
        prop_assume!(!matches!(end, End::Broken(_)));
        let story = Story::default().tell(legal(start, &turns, &end));
        let told = transcript(grammar(start), story);
        let count = |callback: &str| told.lines().filter(|line| line.trim_start().starts_with(callback)).count();
        for object in ["on_tool_call", "on_message", "on_text"] {
            prop_assert_eq!(count(&format!("{object}_created")), count(&format!("{object}_done")), "{}", told);
        }
        let (begun_before, done_later) = (matches!(start, Start::Outputs), matches!(end, End::RequiresAction));
        let steps_created = count("on_run_step_created") + usize::from(begun_before);
        prop_assert_eq!(steps_created, count("on_run_step_done") + usize::from(done_later), "{}", told);
        prop_assert_eq!(count("on_run_done") + count("on_requires_action"), 1);
    }
}

#[test]
fn the_end_comes_once_however_the_stream_ends() {
    let broken = || StreamError::Bytes(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let lost = Story::default().message().events.remove(0);
    for events in
        [vec![], vec![Ok(Event::Done), Ok(Event::Done)], vec![Err(broken()), Ok(Event::Done)], vec![Ok(lost)]]
    {
        let mut dispatcher = Dispatcher::new(Scribe::default());
        let _ = dispatcher.drive(stream::iter(events)).now_or_never().unwrap();
        dispatcher.finish().now_or_never().unwrap();
        assert_eq!(dispatcher.handler().0.matches("on_end").count(), 1);
    }
}

#[test]
fn the_snapshot_is_what_the_events_add_up_to() {
    let events = Story::begun().message().text("Hel").text("lo").events;
    let mut snapshot = Snapshot::new();
    let mut dispatcher = Dispatcher::new(Scribe::default());
    for event in &events {
        snapshot.apply(event).unwrap();
        dispatcher.dispatch(event).now_or_never().unwrap().unwrap();
    }
    assert_eq!(dispatcher.snapshot().messages(), snapshot.messages());
}

#[cfg(feature = "testing")]
#[test]
fn a_mock_handler_tells_what_it_was_told() {
    let mut handler = ropewalk_events::MockEventHandler::new();
    handler.expect_on_event().times(1).return_const(());
    handler.expect_on_end().times(1).return_const(());
    let mut dispatcher = Dispatcher::new(handler);
    dispatcher.dispatch(&Event::Done).now_or_never().unwrap().unwrap();
}
