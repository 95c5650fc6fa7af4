//! Code that the server runs.

use ropewalk_types::{Annotation, CodeInterpreterCall, CodeOutput, FileReference};

use super::*;

fn more(arguments: &str) -> Act {
    Act::Say(ModelEvent::ToolCall(ToolCallPart {
        index: 0,
        id: None,
        name: None,
        arguments: arguments.to_owned(),
    }))
}

fn computing() -> World {
    let mut world = World::offering(&BuiltInTool::ALL);
    for act in [
        Act::Claim,
        part(0, "code_interpreter", r#"{"co"#),
        more(r#"de":"print(1)\n"#),
        more(r#"2"}"#),
        Act::EndTurn,
    ] {
        world.act(act);
    }
    world
}

fn code(world: &World) -> Vec<CodeInterpreterCall> {
    let calls = world.steps.values().flat_map(|step| match &step.step_details {
        StepDetails::ToolCalls { tool_calls } => tool_calls.clone(),
        _ => Vec::new(),
    });
    let code = calls.map(|call| match call {
        ToolCallRecord::CodeInterpreter { code_interpreter, .. } => code_interpreter,
        other => panic!("{other:?}"),
    });
    code.collect()
}

#[test]
fn what_code_prints_and_draws_is_in_its_step_and_its_figure_before_the_answer() {
    let mut world = computing();
    for draws in [false, false, true, false] {
        world.act(Act::Progress { nth: 0, draws });
    }
    world.act(Act::Answer { nth: 0, found: true });
    for act in [say("See sandbox:/mnt/"), say("data/a.csv"), Act::EndTurn] {
        world.act(act);
    }
    assert_eq!(world.run.status, RunStatus::Completed);
    let code = code(&world);
    assert_eq!(code[0].input, "print(1)\n2");
    let [CodeOutput::Logs { logs: before }, CodeOutput::Image { image }, CodeOutput::Logs { logs: behind }] =
        &code[0].outputs[..]
    else {
        panic!("{:?}", code[0].outputs)
    };
    assert_eq!((before.as_str(), behind.as_str()), ("printedprinted", "printed"));
    let message = world.messages.values().next().unwrap();
    let [MessageContent::ImageFile { image_file }, MessageContent::Text { text }] = &message.content[..]
    else {
        panic!("{:?}", message.content)
    };
    assert_eq!(image_file.file_id, image.file_id);
    let path = Annotation::FilePath {
        text: "sandbox:/mnt/data/a.csv".to_owned(),
        start_index: 4,
        end_index: 27,
        file_path: FileReference { file_id: "file-w".into() },
    };
    assert_eq!(text.annotations, [path]);
}

#[test]
fn figures_are_not_shown_again_with_the_next_answer() {
    let mut world = computing();
    for act in [
        Act::Progress { nth: 0, draws: true },
        Act::Answer { nth: 0, found: true },
        say("One."),
        part(0, "f", "{}"),
        Act::EndTurn,
    ] {
        world.act(act);
    }
    for act in [Act::SubmitAll { stream: true }, say("Two."), Act::EndTurn] {
        world.act(act);
    }
    let mut shown: Vec<(String, usize)> =
        world.messages.values().map(|message| (message.text(), message.content.len())).collect();
    shown.sort();
    assert_eq!(shown, [("One.".to_owned(), 2), ("Two.".to_owned(), 1)]);
}

#[test]
fn code_that_was_running_when_its_process_died_says_that_it_runs_again() {
    let mut world = computing();
    world.act(Act::Progress { nth: 0, draws: false });
    // What was told is stored beside the step, and recalled.
    let told = world.machine.steps().last().unwrap().clone();
    world.act(Act::Crash);
    assert_eq!(world.run.status, RunStatus::InProgress);
    assert_eq!(world.machine.unanswered().count(), 1);
    assert_eq!(code(&world)[0].outputs, []);
    world.steps.insert(told.id.clone(), told);
    world.act(Act::Crash);
    world.act(Act::Answer { nth: 0, found: true });
    let [CodeOutput::Logs { logs }] = &code(&world)[0].outputs[..] else { panic!("{:?}", code(&world)) };
    assert!(logs.starts_with("printed\n[The server stopped"), "{logs}");
}
