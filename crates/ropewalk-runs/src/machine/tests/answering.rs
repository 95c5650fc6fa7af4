//! Calls that tools of the server answer.

use ropewalk_types::Annotation;

use super::*;

fn search(index: u32) -> Act {
    part(index, "file_search", r#"{"query":"a"}"#)
}

#[test]
fn calls_of_the_server_s_tools_are_answered_before_the_model_goes_on() {
    let mut world = World::new();
    for act in [Act::Claim, say("Let me look."), search(0), search(1), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::InProgress);
    for nth in [1, 0] {
        world.act(Act::Answer { nth, found: true });
    }
    for act in [say("It says so 【1"), say(":0†a.txt】 and 【9:0†a.txt】."), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Completed);
    let cited: Vec<usize> = world.messages.values().map(|message| citations(message).len()).collect();
    assert_eq!(cited.iter().sum::<usize>(), 1, "{cited:?}");
}

fn citations(message: &Message) -> &[Annotation] {
    match message.content.last() {
        Some(MessageContent::Text { text }) => &text.annotations,
        _ => &[],
    }
}

#[test]
fn a_turn_with_both_kinds_of_calls_waits_for_functions_alone_once_the_server_has_answered() {
    let mut world = World::new();
    for act in [Act::Claim, part(0, "f", "{}"), search(1), part(2, "g", "{}"), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::InProgress);
    world.act(Act::Answer { nth: 0, found: true });
    assert_eq!(world.run.status, RunStatus::RequiresAction);
    assert_eq!(world.machine.waiting_for().collect::<Vec<_>>(), ["call_0", "call_2"]);
    world.act(Act::SubmitAll { stream: true });
    let step = world.steps.values().next().unwrap();
    assert_eq!(step.status, RunStepStatus::Completed);
    let names: Vec<String> =
        world.machine.server_calls().shown(step).map(|(call, _)| call.function.name).collect();
    assert_eq!(names, ["f", "file_search", "g"]);
}

#[test]
fn an_answer_that_was_stored_outlives_its_process_and_the_other_call_is_made_again() {
    let mut world = World::new();
    for act in
        [Act::Claim, search(0), search(1), Act::EndTurn, Act::Answer { nth: 1, found: true }, Act::Crash]
    {
        world.act(act);
    }
    let again: Vec<&str> = world.machine.unanswered().map(|call| call.id.as_str()).collect();
    assert_eq!(again, ["call_0"]);
    assert_eq!(world.machine.unanswered().next().unwrap().arguments, r#"{"query":"a"}"#);
    world.act(Act::Answer { nth: 0, found: false });
    world.act(Act::EndTurn);
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn text_behind_calls_that_are_cut_off_is_kept_as_an_incomplete_message() {
    for (ends, reason) in [
        (vec![Act::RequestCancel, Act::DeliverCancel], IncompleteReason::RunCancelled),
        (vec![Act::PassDeadline], IncompleteReason::RunExpired),
        (vec![Act::EndTurn, Act::PassDeadline], IncompleteReason::RunExpired),
    ] {
        for name in ["f", "file_search"] {
            let mut world = World::new();
            for act in [Act::Claim, part(0, name, "{}"), say("By the way.")].into_iter().chain(ends.clone()) {
                world.act(act);
            }
            let message = world.messages.values().next().unwrap();
            assert_eq!(message.text(), "By the way.");
            assert_eq!(message.incomplete_details.as_ref().unwrap().reason, reason);
        }
    }
}
