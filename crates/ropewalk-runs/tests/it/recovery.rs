use std::{future::ready, time::Duration};

use futures_util::{StreamExt, future::BoxFuture};
use ropewalk_model::{ChatMessage, ModelEvent, ScriptedModel, Turn};
use ropewalk_store::{Batch, Kind, ListRequest, Put, Store, StoreError};
use ropewalk_types::{MessageStatus, RunStatus, RunStepStatus, ToolOutput};

use crate::{gated::Gated, world::World};

fn half() -> Turn {
    Turn::new().event(ModelEvent::Text("Half an ans".to_owned())).stall()
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_process_died_goes_on_within_five_seconds() {
    let world = World::new().await;
    let dead = world.engine([half()]);
    let run = world.start(&dead, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;

    let model = ScriptedModel::with_turns([Turn::text("A whole answer.")]);
    let next = world.engine_over(&model);
    let _work = world.work(&next);
    let begun = world.now();
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert!(world.now().0 - begun.0 <= 5);

    let answers: Vec<(MessageStatus, String)> = world
        .messages()
        .await
        .into_iter()
        .skip(1)
        .map(|message| (message.status.clone(), message.text()))
        .collect();
    let expected = [
        (MessageStatus::Incomplete, "Half an ans".to_owned()),
        (MessageStatus::Completed, "A whole answer.".to_owned()),
    ];
    assert_eq!(answers, expected);
    let steps: Vec<RunStepStatus> = world.steps(&run.id).await.into_iter().map(|step| step.status).collect();
    assert_eq!(steps, [RunStepStatus::Failed, RunStepStatus::Completed]);
    // The interrupted answer is kept out of what the model is shown.
    assert!(matches!(model.requests()[0].messages.as_slice(), [ChatMessage::User(_)]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_taken_for_dead_writes_nothing_any_more() {
    let world = World::new().await;
    let (release, gate) = tokio::sync::oneshot::channel::<()>();
    let slow = Turn::new()
        .wait(async move { drop(gate.await) })
        .event(ModelEvent::Text("From the grave.".to_owned()));
    let zombie = world.engine([slow]);
    let started = world.start(&zombie, true).await;
    let id = started.run.id.clone();
    let reader = tokio::spawn(async move {
        let stream = started.stream.unwrap();
        let bytes: Vec<_> = stream.collect().await;
        String::from_utf8(bytes.concat()).unwrap()
    });

    let next = world.engine([Turn::text("The answer.")]);
    let _work = world.work(&next);
    let done = world.until(&id, |run| run.status.is_terminal()).await;
    let (steps, messages) = (world.steps(&id).await, world.messages().await);
    release.send(()).unwrap();
    let told = reader.await.unwrap();
    // Its reader is told by the other one how the run goes on.
    assert!(told.contains("The answer.") && told.ends_with("event: done\ndata: [DONE]\n\n"), "{told}");
    assert!(!told.contains("grave"), "{told}");
    assert_eq!(
        (world.stored(&id).await, world.steps(&id).await, world.messages().await),
        (done, steps, messages)
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_keeps_its_lease_as_long_as_it_lives() {
    let world = World::new().await;
    let alive = world.engine([Turn::new()
        .wait(tokio::time::sleep(Duration::from_secs(120)))
        .event(ModelEvent::Text("Late.".to_owned()))
        .event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop))]);
    let _work = world.work(&alive);
    let other = world.engine([]);
    let _other_work = world.work(&other);
    let run = world.start(&alive, false).await.run;
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(world.messages().await.pop().unwrap().text(), "Late.");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_renews_too_late_does_not_take_its_own_runs_from_itself() {
    let gate = |_: &Batch| -> BoxFuture<'static, Result<(), StoreError>> { Box::pin(ready(Ok(()))) };
    let slow = Gated::new(gate).slow_to_renew(Duration::from_secs(6));
    let world = World::over(Store::new(slow)).await;
    let answer = Turn::new()
        .wait(tokio::time::sleep(Duration::from_secs(60)))
        .event(ModelEvent::Text("Late.".to_owned()))
        .event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop));
    let model = ScriptedModel::with_turns([answer]);
    let alone = world.engine_over(&model);
    let _work = world.work(&alone);
    let run = world.start(&alone, false).await.run;
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!((run.status, model.requests().len()), (RunStatus::Completed, 1));
}

#[tokio::test(start_paused = true)]
async fn outputs_survive_a_crash_right_after_they_were_acknowledged() {
    let world = World::new().await;
    let dead = world.engine([Turn::calls([("f", "{}")]), half()]);
    let run = world.start(&dead, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    let outputs = [ToolOutput::new("call_0", "the output")];
    dead.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;

    let model = ScriptedModel::with_turns([Turn::text("Thanks.")]);
    let next = world.engine_over(&model);
    let _work = world.work(&next);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    let shown = model.requests()[0]
        .messages
        .iter()
        .any(|message| matches!(message, ChatMessage::Tool { output, .. } if output == "the output"));
    assert!(shown, "{:?}", model.requests());
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_deleted_takes_its_run_with_it() {
    let world = World::new().await;
    let engine = world.engine([half()]);
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let reader = tokio::spawn(async move { started.stream.unwrap().collect::<Vec<_>>().await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let tree = Batch::new().delete_tree(Kind::Thread, world.thread.as_str());
    world.scope.commit(tree).await.unwrap();
    engine.poke(&id);
    let told = String::from_utf8(reader.await.unwrap().concat()).unwrap();
    assert!(told.contains("event: error"), "{told}");
    assert!(world.steps(&id).await.is_empty() && world.messages().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_notes_change_all_the_time_keeps_its_worker() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([Turn::new()
        .wait(tokio::time::sleep(Duration::from_secs(20)))
        .event(ModelEvent::Text("Late.".to_owned()))
        .event(ModelEvent::Finish(ropewalk_model::FinishReason::Stop))]);
    let engine = world.engine_over(&model);
    let _work = world.work(&engine);
    let run = world.start(&engine, false).await.run;
    while !world.stored(&run.id).await.status.is_terminal() {
        let notes = ropewalk_types::Metadata::from([("at".to_owned(), world.now().0.to_string())]);
        engine.modify(&world.scope, &world.thread, &run.id, notes.into()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    assert_eq!(world.stored(&run.id).await.status, RunStatus::Completed);
    assert_eq!(model.requests().len(), 1, "the model was called again");
    assert_eq!(world.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_panics_fails_its_run_and_nothing_else() {
    for stream in [false, true] {
        let world = World::new().await;
        let half = Turn::new().event(ModelEvent::Text("Half".to_owned()));
        let engine = world.engine([half.wait(async { panic!("the model broke") })]);
        let _work = world.work(&engine);
        let started = world.start(&engine, stream).await;
        let told = match started.stream {
            Some(stream) => stream.collect::<Vec<_>>().await.concat(),
            None => Vec::new(),
        };
        let run = world.until(&started.run.id, |run| run.status.is_terminal()).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(stream, String::from_utf8_lossy(&told).contains("event: thread.run.failed"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_claimed_long_before_its_deadline_waits_on() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("f", "{}")]), Turn::text("Thanks.")]);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    let deadline = world.store.next_due(Kind::Run).await.unwrap();
    // By a worker that died, and whose clock was ahead.
    world.store.claim(Kind::Run, i64::MAX, 0, 9).await.unwrap();

    let _work = world.work(&engine);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.store.next_due(Kind::Run).await.unwrap(), deadline);
    let outputs = [ToolOutput::new("call_0", "the output")];
    engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_and_due_all_the_same_is_looked_at_once() {
    let world = World::new().await;
    let engine = world.engine([Turn::text("Done.")]);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status.is_terminal()).await;
    let over = world.scope.get(Kind::Run, run.id.as_str()).await.unwrap().unwrap();
    let due =
        Put::new(Kind::Run, run.id.as_str(), run.created_at.0, over.body).parent(run.thread_id.as_str());
    world.scope.commit(Batch::new().put(due.state(over.state.unwrap()).due_at(1))).await.unwrap();

    let _work = world.work(&engine);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let healed = world.scope.get(Kind::Run, run.id.as_str()).await.unwrap().unwrap();
    assert_eq!(healed.due_at, None);
    assert_eq!(healed.fence, over.fence + 1, "it was claimed once");
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_though_what_was_told_of_it_cannot_be_read() {
    let world = World::new().await;
    let dead = world.engine([half()]);
    let run = world.start(&dead, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let chunks = ListRequest::new(Kind::RunEvents).parent(run.id.as_str()).limit(100);
    for chunk in world.scope.list(&chunks).await.unwrap().documents {
        let damaged = Put::new(Kind::RunEvents, chunk.id, chunk.created_at, vec![0xff; 8]);
        world.scope.commit(Batch::new().put(damaged.parent(run.id.as_str()))).await.unwrap();
    }
    let next = world.engine([Turn::text("A whole answer.")]);
    let _work = world.work(&next);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_not_wait_for_a_reader_that_does_not_read() {
    let world = World::new().await;
    let engine = world.engine([half()]);
    let started = world.start(&engine, true).await;
    let mut stream = started.stream.unwrap();
    // It reads as far as the answer goes, and then no more.
    while !String::from_utf8_lossy(&stream.next().await.unwrap()).contains("Half an ans") {}
    engine.cancel(&world.scope, &world.thread, &started.run.id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.stored(&started.run.id).await.status, RunStatus::Cancelled);
    drop(stream);
}
