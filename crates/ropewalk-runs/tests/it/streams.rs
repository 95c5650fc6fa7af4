use std::time::Duration;

use futures_util::StreamExt;
use ropewalk_events::{Event, Grammar};
use ropewalk_model::{ModelEvent, Turn};
use ropewalk_runs::NewRun;
use ropewalk_types::{RunStatus, Thread, ToolOutput};

use crate::world::{World, names, read};

#[tokio::test(start_paused = true)]
async fn a_text_run_streams_as_the_contract_says() {
    let world = World::new().await;
    let engine = world.engine([Turn::text("It is fine.")]);
    let started = world.start(&engine, true).await;
    let events = read(started.stream, Grammar::create_run()).await;
    insta::assert_json_snapshot!(names(&events));
    let Some(Event::MessageCompleted(message)) =
        events.iter().find(|event| event.name() == "thread.message.completed")
    else {
        panic!("no completed message")
    };
    assert_eq!(message.text(), "It is fine.");
    assert_eq!(**message, world.messages().await.pop().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_run_with_tools_streams_in_two_parts() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("f", "{}"), ("g", r#"{"a":1}"#)]), Turn::text("Done.")]);
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let mut streams = vec![read(started.stream, Grammar::create_run()).await];
    let outputs = [ToolOutput::new("call_0", "1"), ToolOutput::new("call_1", "2")];
    let submitted = engine.submit(&world.scope, &world.thread, &id, &outputs, true).await.unwrap();
    streams.push(read(submitted.stream, Grammar::submit_tool_outputs()).await);
    let transcript: Vec<_> = streams.iter().map(|events| names(events)).collect();
    insta::assert_json_snapshot!(transcript);
}

#[tokio::test(start_paused = true)]
async fn a_thread_made_with_its_run_is_told_of_first() {
    let world = World::new().await;
    let engine = world.engine([Turn::text("Hello.")]);
    let mut run = world.run();
    let thread = Thread::new("thread_new".into(), world.now());
    run.thread_id = thread.id.clone();
    let new = NewRun { thread: Some(thread), stream: true, ..NewRun::new(run) };
    let started = engine.create(&world.scope, new).await.unwrap();
    let events = read(started.stream, Grammar::create_thread_and_run()).await;
    assert_eq!(names(&events)[0], "thread.created");
}

#[tokio::test(start_paused = true)]
async fn a_run_outlives_a_reader_that_goes_away() {
    let world = World::new().await;
    let engine = world.engine([Turn::text("A long enough answer.")]);
    let started = world.start(&engine, true).await;
    let mut stream = started.stream.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    let run = world.until(&started.run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_wait_for_a_reader_that_stops_reading() {
    let world = World::new().await;
    let word = "word ".repeat(200);
    let turn = (0..3000).fold(Turn::new(), |turn, _| turn.event(ModelEvent::Text(word.clone())));
    let turn = turn.event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop));
    let engine = world.engine([turn]);
    let _work = world.work(&engine);
    let started = world.start(&engine, true).await;
    let mut stream = started.stream.unwrap();
    stream.next().await.unwrap();
    let run = world.until(&started.run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    // It lags by three megabytes, which the store keeps for it, a chunk at a time.
    let mut frames = 0;
    while let Some(some) = stream.next().await {
        assert!(some.len() < 512 * 1024 || some.windows(9).any(|some| some == b"completed"));
        frames += String::from_utf8_lossy(&some).matches("event: thread.message.delta").count();
    }
    assert!((2990..=3000).contains(&frames), "{frames}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_cancel_that_somebody_else_asks_for() {
    let world = World::new().await;
    let engine = world.engine([Turn::new().event(ModelEvent::Text("Half".to_owned())).stall()]);
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let reader = tokio::spawn(read(started.stream, Grammar::create_run()));
    world.until(&id, |run| run.status == RunStatus::InProgress).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    engine.cancel(&world.scope, &world.thread, &id).await.unwrap();
    let events = reader.await.unwrap();
    let last: Vec<&str> = names(&events).into_iter().rev().take(5).collect();
    let cancelled = [
        "done",
        "thread.run.cancelled",
        "thread.run.step.cancelled",
        "thread.message.incomplete",
        "thread.run.cancelling",
    ];
    assert_eq!(last, cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_a_slow_model_is_not_taken_for_one_that_stopped_reading() {
    let world = World::new().await;
    let word = "word ".repeat(200);
    let turn = Turn::new().wait(tokio::time::sleep(Duration::from_secs(30)));
    let turn = (0..3000).fold(turn, |turn, _| turn.event(ModelEvent::Text(word.clone())));
    let engine = world.engine([turn.event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop))]);
    let _work = world.work(&engine);
    let started = world.start(&engine, true).await;
    let events = read(started.stream, Grammar::create_run()).await;
    assert_eq!(names(&events).last(), Some(&"done"));
    assert_eq!(world.messages().await.pop().unwrap().text().len(), word.len() * 3000);
}
