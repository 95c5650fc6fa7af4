//! Any interleaving of inputs leaves the machine in a legal state, with a legal sequence of events.

mod answering;
mod computing;
mod world;

use proptest::{collection::vec, prelude::*};
use ropewalk_model::ToolCallPart;
use ropewalk_types::{IncompleteReason, MessageContent};
use world::{Act, World, act};

use super::*;
use crate::server_tool::BuiltInTool;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: legal states, legal events, and an end that can always be reached.
    #[test]
    fn every_schedule_is_legal(acts in vec(act(), 0..60), computes: bool) {
        let mut world = if computes { World::offering(&BuiltInTool::ALL) } else { World::new() };
        for act in acts {
            world.act(act);
        }
        world.act(Act::PassDeadline);
        prop_assert!(world.run.status.is_terminal());
    }

    /// Text that stands behind a call waits for its answer, and may cite what that brings.
    #[test]
    fn a_marker_behind_its_call_is_resolved_with_the_answer(found: bool) {
        let mut world = World::new();
        world.act(Act::Claim);
        world.act(Act::Say(ModelEvent::ToolCall(ToolCallPart {
            index: 0,
            id: None,
            name: Some("file_search".to_owned()),
            arguments: String::new(),
        })));
        world.act(Act::Say(ModelEvent::Text("【1:0†a.txt】".to_owned())));
        world.act(Act::EndTurn);
        world.act(Act::Answer { nth: 0, found });
    }

    /// However an answer is cut into deltas, the committed message is the whole of it.
    #[test]
    fn deltas_add_up(pieces in vec("[a-zé ]{1,6}", 1..40)) {
        let mut world = World::new();
        world.act(Act::Claim);
        for piece in &pieces {
            world.act(Act::Say(ModelEvent::Text(piece.clone())));
        }
        world.act(Act::EndTurn);
        prop_assert_eq!(&world.run.status, &RunStatus::Completed);
        let message = world.messages.values().next().unwrap();
        prop_assert_eq!(message.text(), pieces.concat());
    }
}

fn part(index: u32, name: &str, arguments: &str) -> Act {
    let id = Some(format!("call_{index}"));
    Act::Say(ModelEvent::ToolCall(ToolCallPart {
        index,
        id,
        name: Some(name.to_owned()),
        arguments: arguments.to_owned(),
    }))
}

fn say(text: &str) -> Act {
    Act::Say(ModelEvent::Text(text.to_owned()))
}

#[test]
fn text_behind_tool_calls_becomes_a_message_once_they_are_answered() {
    let mut world = World::new();
    for act in [Act::Claim, part(0, "f", "{}"), say("By the way."), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::RequiresAction);
    world.act(Act::SubmitAll { stream: true });
    let texts: Vec<String> = world.messages.values().map(Message::text).collect();
    assert_eq!(texts, ["By the way."]);
    assert_eq!(world.run.status, RunStatus::InProgress);
}

#[test]
fn a_run_fails_clearly_when_the_model_calls_a_tool_that_is_not_there() {
    let mut world = World::new();
    for act in [Act::Claim, say("Let me compute."), part(0, "code_interpreter", "{}")] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Failed);
    let message = &world.run.last_error.as_ref().unwrap().message;
    assert!(message.contains("`code_interpreter`"), "{message}");
}

#[test]
fn an_interrupted_answer_is_closed_and_written_anew() {
    let mut world = World::new();
    for act in [Act::Claim, say("Half an ans"), Act::Crash, say("A whole answer."), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Completed);
    let mut texts: Vec<(MessageStatus, usize)> =
        world.messages.values().map(|message| (message.status.clone(), message.content.len())).collect();
    texts.sort_by_key(|(_, parts)| *parts);
    // What was streamed but not committed is lost with the process; the empty message stays, marked.
    assert_eq!(texts, [(MessageStatus::Incomplete, 0), (MessageStatus::Completed, 1)]);
}

#[test]
fn calls_without_an_id_or_with_a_repeated_one_get_ids_of_their_own() {
    let call = |index, id: Option<&str>| {
        Act::Say(ModelEvent::ToolCall(ToolCallPart {
            index,
            id: id.map(str::to_owned),
            name: Some("f".to_owned()),
            arguments: "{}".to_owned(),
        }))
    };
    let mut world = World::new();
    for act in [Act::Claim, call(0, None), call(1, Some("call_x")), call(2, Some("call_x")), Act::EndTurn] {
        world.act(act);
    }
    let mut ids: Vec<&str> = world.machine.waiting_for().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let mut world = World::new();
    for act in [Act::Claim, Act::Say(ModelEvent::Refusal("I can't.".to_owned())), Act::EndTurn] {
        world.act(act);
    }
    let message = world.messages.values().next().unwrap();
    assert_eq!(message.content, [MessageContent::Refusal { refusal: "I can't.".to_owned() }]);
}
