use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ropewalk_events::{Event, Grammar};
use ropewalk_model::{ChatMessage, ChatPart, ModelEvent, ScriptedModel, Turn};
use ropewalk_runs::{NewRun, record::step_json};
use ropewalk_store::Kind;
use ropewalk_types::{
    Annotation, FunctionCall, MessageContent, MessageInput, MessageStatus, NamedFunction, NamedToolChoice,
    RunStatus, RunStep, RunStepInclude, RunStepStatus, StepDetails, ToolCallRecord, ToolChoice, ToolOutput,
};
use serde_json::{Value, json};

use crate::{
    library::{Answering, Gallery, with_library},
    world::{World, names, read},
};

fn search(arguments: &str) -> (&str, &str) {
    ("file_search", arguments)
}

fn outputs(model: &ScriptedModel, request: usize) -> Vec<String> {
    let messages = &model.requests()[request].messages;
    messages
        .iter()
        .filter_map(|message| match message {
            ChatMessage::Tool { output, .. } => Some(output.clone()),
            _ => None,
        })
        .collect()
}

fn content(step: &Value) -> &Value {
    &step["step_details"]["tool_calls"][0]["file_search"]["results"][0]["content"]
}

#[tokio::test(start_paused = true)]
async fn a_search_streams_as_the_contract_says_and_its_citation_too() {
    let world = World::new().await;
    let says = |text: &str| ModelEvent::Text(text.to_owned());
    let answer = ["Er kostet 5 € 【2:0†pri", "ces.txt】, nicht 【2:1†prices.txt】."];
    let turn = answer.iter().fold(Turn::new(), |turn, text| turn.event(says(text)));
    let model = ScriptedModel::with_turns([
        Turn::calls([search("{}")]),
        turn.event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop)),
    ]);
    let (engine, _) = with_library(world.engine_over(&model));
    let started = world.start(&engine, true).await;
    let events = read(started.stream, Grammar::create_run()).await;
    insta::assert_json_snapshot!(names(&events));

    let told: Vec<Value> = events
        .iter()
        .filter_map(|event| match event {
            Event::RunStepDelta(delta) => serde_json::to_value(&delta.delta).ok(),
            Event::MessageDelta(delta) => serde_json::to_value(&delta.delta).ok(),
            _ => None,
        })
        .collect();
    insta::assert_json_snapshot!(told);
    let message = world.messages().await.pop().unwrap();
    let [MessageContent::Text { text }] = &message.content[..] else { panic!("no text") };
    let citation = Annotation::FileCitation {
        text: "【2:0†prices.txt】".to_owned(),
        start_index: 14,
        end_index: 30,
        file_citation: ropewalk_types::FileReference { file_id: "file-price".into() },
    };
    assert_eq!(text.annotations, [citation]);
    let shown = &outputs(&model, 1)[0];
    assert!(shown.contains("【2:0†prices.txt】 score 0.75\nIt costs 5."), "{shown}");
    let offered = &model.requests()[0].tools;
    assert!(offered.iter().any(|function| function.name == "file_search" && function.description.is_some()));
}

#[tokio::test(start_paused = true)]
async fn passages_travel_only_to_those_who_ask_for_them() {
    for include in [vec![], vec![RunStepInclude::SearchContent]] {
        let world = World::new().await;
        let (engine, _) = with_library(world.engine([Turn::calls([search("{}")]), Turn::text("Five.")]));
        let new = NewRun { stream: true, include: include.clone(), ..NewRun::new(world.run()) };
        let started = engine.create(&world.scope, new).await.unwrap();
        let events = read(started.stream, Grammar::create_run()).await;
        let told = events.iter().find_map(|event| match event {
            Event::RunStepCompleted(step) => serde_json::to_value(step).ok(),
            _ => None,
        });
        let told = told.unwrap();
        let call = &told["step_details"]["tool_calls"][0];
        assert_eq!(
            call["file_search"]["ranking_options"],
            json!({ "ranker": "auto", "score_threshold": 0.0 })
        );
        let whole = json!([{ "type": "text", "text": "It costs 5." }]);
        assert_eq!(*content(&told), if include.is_empty() { Value::Null } else { whole.clone() });

        let id = told["id"].as_str().unwrap();
        let document = world.scope.get(Kind::RunStep, id).await.unwrap().unwrap();
        let wire = |include: &[RunStepInclude]| -> Value {
            serde_json::from_slice(&step_json(&document, include).unwrap()).unwrap()
        };
        assert_eq!(*content(&wire(&[])), Value::Null);
        assert_eq!(*content(&wire(&[RunStepInclude::SearchContent])), whole);
        assert_eq!(wire(&include), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_with_both_kinds_of_calls_streams_in_two_parts() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([
        Turn::calls([("f", "{}"), search("{}"), ("g", "{}")]),
        Turn::text("Done."),
    ]);
    let (engine, _) = with_library(world.engine_over(&model));
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let mut streams = vec![read(started.stream, Grammar::create_run()).await];
    let waiting = world.stored(&id).await.required_action.unwrap();
    let calls = waiting.submit_tool_outputs.tool_calls.iter();
    assert_eq!(calls.map(|call| call.id.as_str()).collect::<Vec<_>>(), ["call_0", "call_2"]);
    let given = [ToolOutput::new("call_2", "2"), ToolOutput::new("call_0", "0")];
    let submitted = engine.submit(&world.scope, &world.thread, &id, &given, true).await.unwrap();
    streams.push(read(submitted.stream, Grammar::submit_tool_outputs()).await);
    let transcript: Vec<_> = streams.iter().map(|events| names(events)).collect();
    insta::assert_json_snapshot!(transcript);

    let shown = outputs(&model, 1);
    assert_eq!((shown[0].as_str(), shown[2].as_str()), ("0", "2"));
    assert!(shown[1].contains("It costs 5."), "{}", shown[1]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_breaks_or_panics_is_told_to_the_model_and_the_run_goes_on() {
    for arguments in ["break", "panic"] {
        let world = World::new().await;
        let model = ScriptedModel::with_turns([Turn::calls([search(arguments)]), Turn::text("Sorry.")]);
        let (engine, _) = with_library(world.engine_over(&model));
        let run = world.start(&engine, false).await.run;
        let run = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!(run.status, RunStatus::Completed);
        let shown = &outputs(&model, 1)[0];
        assert!(shown.contains("`file_search` failed") && !shown.contains("secret"), "{shown}");
        let steps = world.steps(&run.id).await;
        assert!(steps.iter().all(|step| step.status == RunStepStatus::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_can_say_that_the_run_is_pointless() {
    let world = World::new().await;
    let (engine, _) = with_library(world.engine([Turn::calls([search("expired")])]));
    let run = world.start(&engine, false).await.run;
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.last_error.unwrap().message, "The vector store has expired.");
    assert_eq!(world.steps(&run.id).await[0].status, RunStepStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_turn_are_answered_at_the_same_time_four_at_most() {
    let world = World::new().await;
    let calls = Turn::calls(std::iter::repeat_n(search("slow"), 10));
    let (engine, library) = with_library(world.engine([calls, Turn::text("Done.")]));
    let begun = world.now();
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::Completed).await;
    assert_eq!(library.most_at_once.load(Ordering::SeqCst), 4);
    assert!(world.now().0 - begun.0 <= 4);
    let StepDetails::ToolCalls { tool_calls } = &world.steps(&run.id).await[0].step_details else { panic!() };
    assert_eq!(tool_calls.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_and_the_deadline_stop_a_tool_at_work_and_keep_what_was_answered() {
    for cancel in [true, false] {
        let world = World::new().await;
        let (engine, library) = with_library(world.engine([Turn::calls([search("{}"), search("stall")])]));
        let _work = world.work(&engine);
        let run = world.start(&engine, false).await.run;
        while library.asked().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if cancel {
            engine.cancel(&world.scope, &world.thread, &run.id).await.unwrap();
        }
        let run = world.until(&run.id, |run| run.status.is_terminal()).await;
        let (run_status, step_status) = match cancel {
            true => (RunStatus::Cancelled, RunStepStatus::Cancelled),
            false => (RunStatus::Expired, RunStepStatus::Expired),
        };
        let step: RunStep = world.steps(&run.id).await.remove(0);
        assert_eq!((run.status, step.status), (run_status, step_status));
        let StepDetails::ToolCalls { tool_calls } = &step.step_details else { panic!("no calls") };
        let found = tool_calls.iter().map(|call| match call {
            ToolCallRecord::FileSearch { file_search, .. } => file_search.results.is_some(),
            _ => false,
        });
        assert_eq!(found.collect::<Vec<_>>(), [true, false]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_what_was_answered_is_not_asked_again_and_the_rest_is() {
    let world = World::new().await;
    let (dead, asked) =
        with_library(world.engine([Turn::calls([search("{}"), search("stall"), search("[]")])]));
    let run = world.start(&dead, false).await.run;
    while asked.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;

    // The same call, now of a tool that answers.
    let model = ScriptedModel::with_turns([Turn::text("Five.")]);
    let library = Arc::new(Answering::default());
    let next = world.engine_over(&model).with_tools(vec![library.clone()]);
    let _work = world.work(&next);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(*library.0.lock().unwrap(), ["stall"]);
    let shown = outputs(&model, 0);
    assert!(shown[0].contains("It costs 5.") && shown[2].contains("It costs 5."), "{shown:?}");
    assert_eq!(shown[1], "Nothing.");
    let ChatMessage::Assistant { tool_calls, .. } = &model.requests()[0].messages[1] else {
        panic!("no calls")
    };
    let calls: Vec<&FunctionCall> = tool_calls.iter().map(|call| &call.function).collect();
    assert_eq!(calls.iter().map(|call| call.arguments.as_str()).collect::<Vec<_>>(), ["{}", "stall", "[]"]);
    assert!(calls.iter().all(|call| call.name == "file_search"));
}

#[tokio::test(start_paused = true)]
async fn a_forced_tool_of_the_server_is_a_forced_function_to_the_model_once() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([Turn::calls([search("{}")]), Turn::text("Five.")]);
    let (engine, _) = with_library(world.engine_over(&model));
    let mut run = world.run();
    let forced =
        |kind: &str, function| ToolChoice::Named(NamedToolChoice { kind: kind.to_owned(), function });
    run.tool_choice = Some(forced("file_search", None));
    let run = engine.create(&world.scope, NewRun::new(run)).await.unwrap().run;
    world.until(&run.id, |run| run.status == RunStatus::Completed).await;
    let choices: Vec<_> = model.requests().into_iter().map(|request| request.tool_choice).collect();
    let named = NamedFunction { name: "file_search".to_owned() };
    assert_eq!(choices, [Some(forced("function", Some(named))), None]);
}

#[tokio::test(start_paused = true)]
async fn image_files_are_shown_as_their_bytes_or_said_to_be_missing() {
    let world = World::new().await;
    let parts = ["file-dot", "file-song", "file-house", "file-wall", "file-wall", "file-gone"]
        .map(|file| json!({ "type": "image_file", "image_file": { "file_id": file, "detail": "low" } }));
    let parts: MessageInput = serde_json::from_value(json!(parts)).unwrap();
    let mut message = world.message("");
    message.content = parts.into_content();
    let model = ScriptedModel::with_turns([Turn::text("I see.")]);
    let engine = world.engine_over(&model).with_files(Arc::new(Gallery));
    let new = NewRun { messages: vec![message], ..NewRun::new(world.run()) };
    let run = engine.create(&world.scope, new).await.unwrap().run;
    world.until(&run.id, |run| run.status == RunStatus::Completed).await;

    let ChatMessage::User(parts) = model.requests()[0].messages[1].clone() else { panic!("no user") };
    let shown: Vec<String> = parts
        .into_iter()
        .map(|part| match part {
            ChatPart::ImageUrl { url, .. } => url.chars().take(30).collect(),
            ChatPart::Text(text) => text,
            ChatPart::ImageFile { file, .. } => panic!("{file} was not replaced"),
        })
        .collect();
    insta::assert_json_snapshot!(shown);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_behind_calls_that_expire_is_kept() {
    let world = World::new().await;
    let part = ropewalk_model::ToolCallPart {
        index: 0,
        id: Some("call_0".to_owned()),
        name: Some("f".to_owned()),
        arguments: "{}".to_owned(),
    };
    let turn = Turn::new()
        .event(ModelEvent::ToolCall(part))
        .event(ModelEvent::Text("By the way.".to_owned()))
        .event(ModelEvent::Finish(ropewalk_model::FinishReason::ToolCalls));
    let engine = world.engine([turn]);
    let _work = world.work(&engine);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::Expired).await;
    let message = world.messages().await.pop().unwrap();
    assert_eq!((message.text().as_str(), message.status), ("By the way.", MessageStatus::Incomplete));
    let steps: Vec<RunStepStatus> = world.steps(&run.id).await.into_iter().map(|step| step.status).collect();
    assert_eq!(steps, [RunStepStatus::Expired, RunStepStatus::Expired]);
}
