use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use proptest::{collection::vec, prelude::*};
use ropewalk_events::Grammar;
use ropewalk_model::{ChatMessage, ChatPart, FinishReason, ModelEvent, ModelRequest, ScriptedModel, Turn};
use ropewalk_runs::{BusyPolicy, Engine, NewRun, RunError, Started};
use ropewalk_store::{Batch, Kind, Operation, Store, StoreError};
use ropewalk_types::{Message, Run, RunId, RunStatus, ToolOutput};

use crate::{
    gated::Gated,
    world::{World, names, read},
};

/// An answer that takes its time.
fn slow(text: &str, seconds: u64) -> Turn {
    let turn = Turn::new().wait(tokio::time::sleep(Duration::from_secs(seconds)));
    turn.event(ModelEvent::Text(text.to_owned())).event(ModelEvent::Finish(FinishReason::Stop))
}

fn shown(request: &ModelRequest) -> Vec<String> {
    request
        .messages
        .iter()
        .map(|message| match message {
            ChatMessage::User(parts) => match parts.as_slice() {
                [ChatPart::Text(text)] => text.clone(),
                parts => format!("{parts:?}"),
            },
            ChatMessage::Assistant { text, .. } => text.clone().unwrap_or_default(),
            message => format!("{message:?}"),
        })
        .collect()
}

impl World {
    async fn join(&self, engine: &Engine, text: &str, busy: BusyPolicy, stream: bool) -> Started {
        let messages = vec![self.message(text)];
        let new = NewRun { messages, busy, stream, ..NewRun::new(self.run()) };
        engine.create(&self.scope, new).await.unwrap()
    }

    async fn done(&self, run: &RunId) -> Run {
        self.until(run, |run| run.status.is_terminal()).await
    }
}

#[tokio::test(start_paused = true)]
async fn queued_runs_start_in_turn_and_see_what_was_answered_before() {
    let world = World::new().await;
    let turns = (0..4).map(|n| slow(&format!("answer {n}"), 2));
    let model = ScriptedModel::with_turns(turns);
    let engine = world.engine_over(&model);
    let _work = world.work(&engine);
    let first = world.start(&engine, false).await.run;
    let mut runs = Vec::new();
    for n in 1..4 {
        let run = world.join(&engine, &format!("question {n}"), BusyPolicy::Queue, false).await.run;
        assert_eq!(run.status, RunStatus::Queued);
        runs.push(run.id);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for run in &runs {
        assert_eq!(world.stored(run).await.status, RunStatus::Queued);
    }
    let mut ended = world.done(&first.id).await.completed_at;
    for run in &runs {
        let done = world.done(run).await;
        assert_eq!(done.status, RunStatus::Completed);
        assert!(done.started_at >= ended, "two runs at once");
        ended = done.completed_at;
    }
    let last = shown(&model.requests()[3]);
    let expected =
        ["What is the price?", "answer 0", "question 1", "answer 1", "question 2", "answer 2", "question 3"];
    assert_eq!(last, expected);
    // Nobody waits any more, so nothing is counted any more but what was spent.
    let counters = world.scope.counters("thread/").await.unwrap();
    assert!(counters.keys().all(|name| name.contains("/spent/")), "{counters:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_streams_from_the_start_and_goes_on_when_it_is_its_turn() {
    let world = World::new().await;
    let engine = world.engine([slow("one", 3), Turn::text("two")]);
    let _work = world.work(&engine);
    world.start(&engine, false).await;
    let started = world.join(&engine, "And?", BusyPolicy::Queue, true).await;
    let mut stream = started.stream.unwrap();
    let opened = String::from_utf8(stream.next().await.unwrap().to_vec()).unwrap();
    assert!(opened.contains("thread.run.created") && opened.contains("thread.run.queued"), "{opened}");
    assert!(!opened.contains("in_progress\n"), "{opened}");
    let rest: Vec<_> = stream.collect().await;
    let rest = String::from_utf8(rest.concat()).unwrap();
    assert!(rest.contains("event: thread.run.completed"), "{rest}");

    let engine = world.engine([slow("three", 3), Turn::text("four")]);
    world.start(&engine, false).await;
    let started = world.join(&engine, "And?", BusyPolicy::Queue, true).await;
    let events = read(started.stream, Grammar::create_run()).await;
    assert_eq!(names(&events)[..3], ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_wait_is_refused_while_others_do() {
    let world = World::new().await;
    let engine = world.engine([Turn::new().stall()]);
    let active = world.start(&engine, false).await.run;
    world.join(&engine, "And?", BusyPolicy::Queue, false).await;
    let refused = engine.create(&world.scope, NewRun::new(world.run())).await.unwrap_err();
    assert!(matches!(refused, RunError::ThreadBusy { run, .. } if run == active.id.as_str()));
    let message = world.message("Hm.");
    let refused =
        engine.add_message(&world.scope, &message, BusyPolicy::Reject, Batch::new()).await.unwrap_err();
    assert!(matches!(refused, RunError::ThreadBusy { run, .. } if run == active.id.as_str()));
    for _ in 1..100 {
        world.join(&engine, "And?", BusyPolicy::Queue, false).await;
    }
    let new = NewRun { busy: BusyPolicy::Queue, ..NewRun::new(world.run()) };
    let refused = engine.create(&world.scope, new).await.unwrap_err();
    assert!(matches!(refused, RunError::LineFull(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_cancels_the_active_run_and_goes_ahead_of_those_that_wait() {
    let world = World::new().await;
    let half = Turn::new().event(ModelEvent::Text("Half".to_owned())).stall();
    let model = ScriptedModel::with_turns([half, Turn::text("urgent"), Turn::text("patient")]);
    let engine = world.engine_over(&model);
    let _work = world.work(&engine);
    let active = world.start(&engine, false).await.run;
    world.until(&active.id, |run| run.status == RunStatus::InProgress).await;
    let patient = world.join(&engine, "When you can.", BusyPolicy::Queue, false).await.run;
    let gone = world.join(&engine, "Quick!", BusyPolicy::Interrupt, false).await.run;
    let urgent = world.join(&engine, "Quicker!", BusyPolicy::Interrupt, false).await.run;
    assert_eq!(world.done(&active.id).await.status, RunStatus::Cancelled);
    assert_eq!(world.done(&gone.id).await.status, RunStatus::Cancelled);
    let (urgent, patient) = (world.done(&urgent.id).await, world.done(&patient.id).await);
    assert_eq!((urgent.status, patient.status), (RunStatus::Completed, RunStatus::Completed));
    let answers: Vec<String> = world.messages().await.iter().map(Message::text).collect();
    assert!(
        answers.iter().position(|text| text == "urgent") < answers.iter().position(|text| text == "patient")
    );
    assert_eq!(model.requests().len(), 3);
}

/// Whether `batch` asks a run to stop.
fn cancels(batch: &Batch) -> bool {
    batch.operations.iter().any(|step| match step {
        Operation::Put(put) => String::from_utf8_lossy(&put.body).contains(r#""status":"cancelling""#),
        _ => false,
    })
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_cancels_failed_is_made_all_the_same_and_asks_again_a_few_times() {
    for recovers in [true, false] {
        let (refuses, refused) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let gate = {
            let (refuses, refused) = (refuses.clone(), refused.clone());
            move |batch: &Batch| {
                let refuse = cancels(batch) && refuses.load(Relaxed);
                refused.fetch_add(u32::from(refuse), Relaxed);
                async move { if refuse { Err(StoreError::Busy) } else { Ok(()) } }.boxed()
            }
        };
        let world = World::over(Store::new(Gated::new(gate))).await;
        let engine = world.engine([Turn::new().stall(), Turn::text("urgent")]);
        let _work = world.work(&engine);
        let active = world.start(&engine, false).await.run;
        world.until(&active.id, |run| run.status == RunStatus::InProgress).await;
        let urgent = world.join(&engine, "Quick!", BusyPolicy::Interrupt, false).await.run;
        assert_eq!((urgent.status, refused.load(Relaxed)), (RunStatus::Queued, 1));
        if recovers {
            tokio::time::sleep(Duration::from_secs(3)).await;
            refuses.store(false, Relaxed);
            assert_eq!(world.done(&urgent.id).await.status, RunStatus::Completed);
            assert_eq!(world.stored(&active.id).await.status, RunStatus::Cancelled);
        } else {
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(refused.load(Relaxed), 6);
            assert_eq!(world.stored(&urgent.id).await.status, RunStatus::Queued);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_outputs_is_interrupted_too() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("f", "{}")]), Turn::text("Now this.")]);
    let _work = world.work(&engine);
    let active = world.start(&engine, false).await.run;
    world.until(&active.id, |run| run.status == RunStatus::RequiresAction).await;
    let urgent = world.join(&engine, "Never mind.", BusyPolicy::Interrupt, false).await.run;
    assert_eq!(world.done(&urgent.id).await.status, RunStatus::Completed);
    assert_eq!(world.done(&active.id).await.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_queued_message_is_stored_at_once_and_shown_behind_the_answer_that_it_waited_for() {
    let world = World::new().await;
    let call = Turn::calls([("f", "{}")]);
    let model = ScriptedModel::with_turns([call, Turn::text("The answer."), Turn::text("Yes.")]);
    let engine = world.engine_over(&model);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    let message = world.message("And with tax?");
    engine.add_message(&world.scope, &message, BusyPolicy::Queue, Batch::new()).await.unwrap();
    assert_eq!(world.messages().await.last(), Some(&message));
    let outputs = [ToolOutput::new("call_0", "7")];
    engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    world.done(&run.id).await;
    assert!(!shown(&model.requests()[1]).contains(&"And with tax?".to_owned()));
    let next = world.start(&engine, false).await.run;
    world.done(&next.id).await;
    assert_eq!(shown(&model.requests()[2]), ["What is the price?", "The answer.", "And with tax?"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupting_message_finds_the_thread_free() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([Turn::new().stall(), Turn::text("Yes.")]);
    let engine = world.engine_over(&model);
    let _work = world.work(&engine);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let message = world.message("Stop.");
    engine.add_message(&world.scope, &message, BusyPolicy::Interrupt, Batch::new()).await.unwrap();
    assert_eq!(world.stored(&run.id).await.status, RunStatus::Cancelled);
    let next = world.start(&engine, false).await.run;
    world.done(&next.id).await;
    assert_eq!(shown(&model.requests()[1]), ["What is the price?", "Stop."]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupting_message_waits_ten_seconds_for_all_who_do_not_stop_together() {
    let world = World::new().await;
    // Nobody works here, so that nobody ends what another engine drives.
    let (here, there) = (world.engine([]), world.engine([Turn::new().stall()]));
    let active = world.start(&there, false).await.run;
    world.until(&active.id, |run| run.status == RunStatus::InProgress).await;
    here.cancel(&world.scope, &world.thread, &active.id).await.unwrap();
    // Nor does a run whose reader does not read do anything.
    let _unread = world.join(&there, "Quick!", BusyPolicy::Interrupt, true).await;
    let begun = tokio::time::Instant::now();
    let message = world.message("Stop.");
    here.add_message(&world.scope, &message, BusyPolicy::Interrupt, Batch::new()).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(world.messages().await.last(), Some(&message));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_cancelled_and_expires_like_any_other() {
    let world = World::new().await;
    let engine = world.engine([Turn::new().stall()]);
    let _work = world.work(&engine);
    let mut long = world.run();
    long.expires_at = Some(world.now().plus(100_000));
    engine.create(&world.scope, NewRun::new(long)).await.unwrap();
    let cancelled = world.join(&engine, "And?", BusyPolicy::Queue, false).await.run;
    let expired = world.join(&engine, "And?", BusyPolicy::Queue, true).await;
    let events = tokio::spawn(read(expired.stream, Grammar::create_run()));
    engine.cancel(&world.scope, &world.thread, &cancelled.id).await.unwrap();
    assert_eq!(world.done(&cancelled.id).await.status, RunStatus::Cancelled);
    let run = world.done(&expired.run.id).await;
    assert_eq!((run.status, run.started_at), (RunStatus::Expired, None));
    assert!(names(&events.await.unwrap()).contains(&"thread.run.expired"));
    let waiting = world.scope.counters(&format!("thread/{}/wait", world.thread)).await.unwrap();
    assert!(waiting.is_empty(), "{waiting:?}");
}

#[tokio::test(start_paused = true)]
async fn a_line_outlives_the_process_that_it_was_made_in() {
    let world = World::new().await;
    let dead = world.engine([Turn::new().stall()]);
    let active = world.start(&dead, false).await.run;
    world.until(&active.id, |run| run.status == RunStatus::InProgress).await;
    let mut runs = vec![active.id];
    for n in 0..3 {
        runs.push(world.join(&dead, &format!("{n}"), BusyPolicy::Queue, n == 1).await.run.id);
    }
    let next = world.engine((0..4).map(|n| slow(&format!("answer {n}"), 1)));
    let _work = world.work(&next);
    let mut ended = None;
    for run in &runs {
        let done = world.done(run).await;
        assert_eq!(done.status, RunStatus::Completed);
        assert!(done.started_at >= ended);
        ended = done.completed_at;
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stops_lets_go_of_those_who_wait_and_the_next_one_goes_on() {
    let world = World::new().await;
    let stopping = world.engine([Turn::calls([("f", "{}")])]);
    let active = world.start(&stopping, false).await.run;
    world.until(&active.id, |run| run.status == RunStatus::RequiresAction).await;
    let waiting = world.join(&stopping, "And?", BusyPolicy::Queue, false).await.run;
    tokio::time::timeout(Duration::from_secs(1), stopping.idle()).await.unwrap();
    assert_eq!(world.stored(&waiting.id).await.status, RunStatus::Queued);

    let next = world.engine([Turn::text("Yes.")]);
    let _work = world.work(&next);
    next.cancel(&world.scope, &world.thread, &active.id).await.unwrap();
    assert_eq!(world.done(&waiting.id).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_process_is_waited_for_too() {
    let world = World::new().await;
    let (here, there) = (world.engine([Turn::text("here")]), world.engine([slow("there", 5)]));
    let (_here, _there) = (world.work(&here), world.work(&there));
    let active = world.start(&there, false).await.run;
    let waiting = world.join(&here, "And?", BusyPolicy::Queue, false).await.run;
    let begun = world.done(&active.id).await.completed_at.unwrap();
    let ended = world.done(&waiting.id).await.completed_at.unwrap();
    assert!(ended.0 - begun.0 <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_thread_takes_those_who_wait_with_it() {
    let world = World::new().await;
    let engine = world.engine([Turn::new().stall()]);
    let _work = world.work(&engine);
    world.start(&engine, false).await;
    let waiting = world.join(&engine, "And?", BusyPolicy::Queue, true).await;
    let tree = Batch::new().delete_tree(Kind::Thread, world.thread.as_str());
    let counters = ropewalk_runs::record::thread_counters(&world.thread);
    world.scope.commit(tree.drop_counters(counters)).await.unwrap();
    let told: Vec<_> = waiting.stream.unwrap().collect().await;
    assert!(String::from_utf8(told.concat()).unwrap().contains("event: error"));
    assert!(world.scope.counters("thread/").await.unwrap().is_empty());
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Create(BusyPolicy),
    Say(BusyPolicy),
    CancelSome(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let policy =
        || prop_oneof![Just(BusyPolicy::Reject), Just(BusyPolicy::Queue), Just(BusyPolicy::Interrupt)];
    prop_oneof![
        4 => policy().prop_map(Act::Create),
        2 => policy().prop_map(Act::Say),
        1 => (0..8_usize).prop_map(Act::CancelSome),
        3 => (0..2500_u64).prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is asked of a thread: one run works at a time, queued ones in the order in which they were made, all
    /// end, and the line is empty then.
    #[test]
    fn a_thread_has_one_run_at_a_time_and_an_orderly_line(acts in vec(act(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let engine = world.engine((0..40).map(|n| slow(&format!("answer {n}"), 1)));
            let _work = world.work(&engine);
            let mut runs: Vec<(BusyPolicy, RunId)> = Vec::new();
            for act in acts {
                match act {
                    Act::Create(busy) => {
                        let new = NewRun { busy, ..NewRun::new(world.run()) };
                        match engine.create(&world.scope, new).await {
                            Ok(started) => runs.push((busy, started.run.id)),
                            Err(error) => assert!(busy == BusyPolicy::Reject, "{error}"),
                        }
                    }
                    Act::Say(busy) => {
                        let message = world.message("Hm.");
                        let said = engine.add_message(&world.scope, &message, busy, Batch::new()).await;
                        assert!(busy == BusyPolicy::Reject || said.is_ok());
                    }
                    Act::CancelSome(which) => {
                        if let Some((_, run)) = runs.get(which) {
                            drop(engine.cancel(&world.scope, &world.thread, run).await);
                        }
                    }
                    Act::Pass(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                }
                let mut working = 0;
                for (_, run) in &runs {
                    let run = world.stored(run).await;
                    working += usize::from(matches!(run.status, RunStatus::InProgress));
                }
                assert!(working <= 1, "{working} runs work at once");
            }
            let mut ended = None;
            for (busy, run) in &runs {
                let run = world.done(run).await;
                if *busy == BusyPolicy::Queue && run.status == RunStatus::Completed {
                    assert!(run.started_at >= ended, "out of turn");
                    ended = run.completed_at;
                }
            }
            let counters = world.scope.counters("thread/").await.unwrap();
            assert!(counters.keys().all(|name| name.contains("/spent/")), "{counters:?}");
            world.scope.commit(Batch::new().require_unlocked(world.thread.as_str())).await.unwrap();
        });
    }
}
