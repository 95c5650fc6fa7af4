use proptest::{collection::vec, prelude::*};
use ropewalk_events::{Event, EventStream, Snapshot, SnapshotError};
use ropewalk_types::{
    CodeOutput, MessageContent, MessageStatus, RunStatus, RunStepStatus, StepDetails, ToolCallRecord,
};
use serde_json::{Value, json};

use crate::{
    codec::{cut, lengths},
    story::{Story, delta, wire},
};

/// Cuts text between characters.
fn pieces(text: &str, lengths: &[usize]) -> Vec<String> {
    let mut lengths = lengths.iter().cycle();
    let mut rest = text.chars().peekable();
    let mut pieces = Vec::new();
    while rest.peek().is_some() {
        pieces.push(lengths.next().map(|length| rest.by_ref().take(*length).collect()).unwrap_or_default());
    }
    pieces
}

/// `first`, then `more` at the same place, each with its index and kind.
fn parts(index: usize, kind: &str, first: Value, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut first = first;
    (first["index"], first["type"]) = (json!(index), json!(kind));
    let more = more.into_iter().map(|body| json!({ "index": index, "type": kind, kind: body }));
    std::iter::once(first).chain(more).collect()
}

fn content() -> impl Strategy<Value = MessageContent> {
    let citation = ("[a-z]{1,3}", any::<u32>()).prop_map(|(text, at)| {
        json!({ "type": "file_citation", "text": text, "start_index": at, "end_index": at, "file_citation": { "file_id": "file-1" } })
    });
    let annotation = prop_oneof![citation, Just(json!({ "type": "novel", "place": 3, "notes": ["a", 1] }))];
    let value = prop_oneof![
        (any::<String>(), vec(annotation, 0..3))
            .prop_map(|(value, annotations)| json!({ "type": "text", "text": { "value": value, "annotations": annotations } })),
        any::<String>().prop_map(|refusal| json!({ "type": "refusal", "refusal": refusal })),
        Just(json!({ "type": "image_file", "image_file": { "file_id": "file-2", "detail": "low" } })),
        any::<String>().prop_map(|text| json!({ "type": "novel", "novel": { "said": text } })),
    ];
    value.prop_map(|value| serde_json::from_value(value).unwrap())
}

/// The fragments that a server would send for `content` at `index`.
fn content_fragments(index: usize, content: &MessageContent, lengths: &[usize]) -> Vec<Value> {
    match content {
        MessageContent::Text { text } => {
            let values = pieces(&text.value, lengths).into_iter().map(|piece| json!({ "value": piece }));
            let annotations = text.annotations.iter().enumerate().map(|(at, annotation)| {
                let mut annotation = json!(annotation);
                annotation["index"] = json!(at);
                json!({ "annotations": [annotation] })
            });
            parts(
                index,
                "text",
                json!({ "text": { "value": "", "annotations": [] } }),
                values.chain(annotations),
            )
        }
        MessageContent::Refusal { refusal } => {
            parts(index, "refusal", json!({}), pieces(refusal, lengths).into_iter().map(Value::from))
        }
        MessageContent::Unknown(value) => {
            let said = pieces(value["novel"]["said"].as_str().unwrap(), lengths).into_iter();
            parts(
                index,
                "novel",
                json!({ "novel": { "said": "" } }),
                said.map(|piece| json!({ "said": piece })),
            )
        }
        whole => parts(index, "image_file", json!(whole), []),
    }
}

fn call() -> impl Strategy<Value = ToolCallRecord> {
    let output = prop_oneof![
        any::<String>().prop_map(|logs| json!({ "type": "logs", "logs": logs })),
        Just(json!({ "type": "image", "image": { "file_id": "file-3" } })),
    ];
    let value = prop_oneof![
        any::<String>().prop_map(|arguments| {
            json!({ "type": "function", "id": "call_1", "function": { "name": "f", "arguments": arguments, "output": null } })
        }),
        (any::<String>(), vec(output, 0..3)).prop_map(|(input, outputs)| {
            json!({ "type": "code_interpreter", "id": "call_2", "code_interpreter": { "input": input, "outputs": outputs } })
        }),
        Just(json!({ "type": "file_search", "id": "call_3", "file_search": {} })),
    ];
    value.prop_map(|value| serde_json::from_value(value).unwrap())
}

/// The fragments that a server would send for `call` at `index`.
fn call_fragments(index: usize, call: &ToolCallRecord, lengths: &[usize]) -> Vec<Value> {
    match call {
        ToolCallRecord::Function { id, function } => {
            let first =
                json!({ "id": id, "function": { "name": function.name, "arguments": "", "output": null } });
            let more =
                pieces(&function.arguments, lengths).into_iter().map(|piece| json!({ "arguments": piece }));
            parts(index, "function", first, more)
        }
        ToolCallRecord::CodeInterpreter { id, code_interpreter: cell } => {
            let first = json!({ "id": id, "code_interpreter": { "input": "", "outputs": [] } });
            let input = pieces(&cell.input, lengths).into_iter().map(|piece| json!({ "input": piece }));
            let outputs = cell.outputs.iter().enumerate().flat_map(|(at, output)| {
                let CodeOutput::Logs { logs } = output else { return parts(at, "image", json!(output), []) };
                parts(at, "logs", json!({}), pieces(logs, lengths).into_iter().map(Value::from))
            });
            let outputs = outputs.map(|output| json!({ "outputs": [output] }));
            parts(index, "code_interpreter", first, input.chain(outputs))
        }
        whole => parts(index, "file_search", json!(whole), []),
    }
}

/// The snapshot of `events` that crossed the wire in pieces.
fn streamed(events: &[Event], lengths: &[usize]) -> Snapshot {
    use futures_util::{FutureExt, StreamExt};
    let wire = wire(events);
    let chunks: Vec<_> = cut(&wire, lengths)
        .into_iter()
        .map(|chunk| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(chunk)))
        .collect();
    let events =
        EventStream::new(futures_util::stream::iter(chunks)).collect::<Vec<_>>().now_or_never().unwrap();
    let mut snapshot = Snapshot::new();
    events.into_iter().for_each(|event| snapshot.apply(&event.unwrap()).unwrap());
    snapshot
}

proptest! {
    #[test]
    fn deltas_add_up_to_the_message_however_it_is_cut(
        content in vec(content(), 0..4), lengths in lengths(), together in 1..5usize,
    ) {
        let fragments: Vec<Value> =
            content.iter().enumerate().flat_map(|(index, part)| content_fragments(index, part, &lengths)).collect();
        let story = fragments.chunks(together).fold(Story::begun().message(), |story, parts| story.part(json!(parts)));
        let snapshot = streamed(&story.events, &lengths);
        prop_assert_eq!(&snapshot.current_message().unwrap().content, &content);
        let ended = story.written(MessageStatus::Completed, content);
        let whole = streamed(&ended.events, &lengths);
        prop_assert_eq!(whole.messages(), [ended.events.last().unwrap().as_message().unwrap().clone()]);
    }

    #[test]
    fn deltas_add_up_to_the_tool_calls_however_they_are_cut(
        calls in vec(call(), 1..4), lengths in lengths(), together in 1..5usize,
    ) {
        let fragments: Vec<Value> =
            calls.iter().enumerate().flat_map(|(index, call)| call_fragments(index, call, &lengths)).collect();
        let story = fragments.chunks(together).fold(Story::begun().calls(), |story, parts| story.call(json!(parts)));
        let snapshot = streamed(&story.events, &lengths);
        let [step] = snapshot.steps() else { panic!("one step") };
        prop_assert_eq!(&step.step_details, &StepDetails::ToolCalls { tool_calls: calls.clone() });
        prop_assert_eq!(snapshot.current_tool_call(), calls.last());
        let ended = streamed(&story.stepped(RunStepStatus::Completed, calls).events, &lengths);
        prop_assert_eq!(ended.current_tool_call(), None);
    }
}

fn apply_all(events: &[Event]) -> Result<Snapshot, SnapshotError> {
    let mut snapshot = Snapshot::new();
    events.iter().try_for_each(|event| snapshot.apply(event))?;
    Ok(snapshot)
}

fn text_at(index: u64) -> Value {
    json!({ "index": index, "type": "text", "text": { "value": "a" } })
}

#[test]
fn a_gap_is_filled_with_holes_and_too_wide_a_gap_is_an_error() {
    let story = |parts: Value| Story::begun().message().part(parts).events;
    let message = |parts| apply_all(&story(parts)).unwrap().messages()[0].content.clone();
    let sparse = message(json!([text_at(2), text_at(0), text_at(2)]));
    assert_eq!(serde_json::to_value(&sparse[1]).unwrap(), Value::Null);
    assert!(matches!(&sparse[2], MessageContent::Text { text } if text.value == "aa"));
    assert_eq!(message(json!([text_at(1_024)])).len(), 1_025);
    for index in [1_025, 65_536, u64::MAX] {
        assert_eq!(apply_all(&story(json!([text_at(index)]))).unwrap_err(), SnapshotError::Index(index));
    }
    let many_holes = json!([text_at(600), text_at(1_200)]);
    assert_eq!(apply_all(&story(many_holes)).unwrap_err(), SnapshotError::Index(1_200));
}

#[test]
fn a_list_has_an_end() {
    let parts: Vec<Value> = (0..=65_536).map(text_at).collect();
    let error = apply_all(&Story::begun().message().part(json!(parts)).events).unwrap_err();
    assert_eq!(error, SnapshotError::Index(65_536));
}

#[test]
fn a_delta_of_nothing_is_an_error() {
    let text = delta("thread.message.delta", "msg_9", json!({ "content": [text_at(0)] }));
    assert_eq!(Snapshot::new().apply(&text), Err(SnapshotError::NoMessage("msg_9".into())));
    let calls = json!([{ "index": 0, "type": "function" }]);
    let call = delta(
        "thread.run.step.delta",
        "step_1",
        json!({ "step_details": { "type": "tool_calls", "tool_calls": calls } }),
    );
    assert_eq!(Snapshot::new().apply(&call), Err(SnapshotError::NoStep("step_1".into())));
    let misled = Story::begun().message().tell([call]).events;
    assert_eq!(apply_all(&misled).unwrap_err(), SnapshotError::NoToolCalls("step_1".into()));
    let nowhere = Story::begun().message().part(json!([{ "type": "text", "text": { "value": "a" } }])).events;
    assert_eq!(apply_all(&nowhere).unwrap_err(), SnapshotError::NoIndex);
}

#[test]
fn parts_of_a_kind_unknown_add_up_by_the_general_rules() {
    let part = |body: Value| json!([{ "index": 0, "type": "novel", "novel": body }]);
    let story = Story::begun()
        .message()
        .part(part(json!({ "said": "a", "count": 1, "list": [{ "index": 0, "v": "x" }], "words": ["p"], "kind": null })))
        .part(part(json!({ "said": "b", "count": 2, "list": [{ "index": 0, "v": "y" }, { "index": 1 }], "words": ["q"], "kind": 1 })));
    let snapshot = apply_all(&story.events).unwrap();
    let sum =
        json!({ "said": "ab", "count": 3, "list": [{ "v": "xy" }, {}], "words": ["p", "q"], "kind": 1 });
    assert_eq!(json!(snapshot.messages()[0].content), json!([{ "type": "novel", "novel": sum }]));
}

#[test]
fn a_step_created_without_its_empty_list_still_takes_calls() {
    let mut events = Story::begun()
        .calls()
        .call(json!([{ "index": 0, "id": "call_1", "type": "file_search", "file_search": {} }]))
        .events;
    let bare = serde_json::from_value(json!({ "type": "tool_calls" })).unwrap();
    for event in &mut events {
        if let Event::RunStepCreated(step) | Event::RunStepInProgress(step) = event {
            step.step_details = StepDetails::clone(&bare);
        }
    }
    assert!(matches!(
        apply_all(&events).unwrap().current_tool_call(),
        Some(ToolCallRecord::FileSearch { .. })
    ));
}

#[test]
fn the_run_is_the_one_told_last() {
    let snapshot = apply_all(&Story::begun().run(RunStatus::Completed).events).unwrap();
    assert_eq!(snapshot.run().unwrap().status, RunStatus::Completed);
}
