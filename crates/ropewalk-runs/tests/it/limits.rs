use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;

use ropewalk_model::{ChatMessage, FinishReason, ModelEvent, ScriptedModel, ToolCallPart, Turn};
use ropewalk_runs::{Engine, EngineOptions, NewRun, RunError};
use ropewalk_store::{Batch, Expect, Operation, Store, TimeOrderedIds};
use ropewalk_types::{
    Budget, Id, Run, RunIncompleteReason, RunStatus, StepDetails, Thread, ThreadId, ToolCallRecord,
    ToolOutput, TruncationKind, TruncationStrategy, Usage,
};

use tokio::sync::{Barrier, Semaphore};

use crate::{gated::Gated, world::World};

fn usage(tokens: u64) -> ModelEvent {
    ModelEvent::Usage(Usage {
        prompt_tokens: tokens / 2,
        completion_tokens: tokens - tokens / 2,
        total_tokens: tokens,
    })
}

/// A turn that calls a function and uses so many tokens.
fn call(tokens: u64) -> Turn {
    let part = ToolCallPart {
        index: 0,
        id: Some("call_0".to_owned()),
        name: Some("f".to_owned()),
        arguments: "{}".to_owned(),
    };
    let turn = Turn::new().event(ModelEvent::ToolCall(part)).event(usage(tokens));
    turn.event(ModelEvent::Finish(FinishReason::ToolCalls))
}

fn answer(tokens: u64) -> Turn {
    let turn = Turn::new().event(ModelEvent::Text("Done.".to_owned())).event(usage(tokens));
    turn.event(ModelEvent::Finish(FinishReason::Stop))
}

impl World {
    /// Runs to the end, with an output for each call.
    async fn ends(&self, engine: &Engine, new: NewRun) -> Run {
        let run = engine.create(&self.scope, new).await.unwrap().run;
        loop {
            let run = self
                .until(&run.id, |run| run.status.is_terminal() || run.status == RunStatus::RequiresAction)
                .await;
            if run.status.is_terminal() {
                return run;
            }
            let outputs = [ToolOutput::new("call_0", "1")];
            engine.submit(&self.scope, &self.thread, &run.id, &outputs, false).await.unwrap();
        }
    }

    fn with_budget(&self, budget: Budget) -> NewRun {
        let mut run = self.run();
        run.budget = Some(budget);
        NewRun::new(run)
    }

    /// A run on its own thread, made with the key `a` that pays for so many calls.
    fn with_key(&self, calls: u64) -> NewRun {
        let thread = Thread::new(ThreadId::mint(&TimeOrderedIds), self.now());
        let mut run = self.run();
        run.thread_id = thread.id.clone();
        NewRun {
            thread: Some(thread),
            key: Some("a".to_owned()),
            key_budget: Some(Budget::new().max_model_calls(calls)),
            ..NewRun::new(run)
        }
    }

    async fn set_budget(&self, budget: Budget) {
        let mut thread = Thread::new(self.thread.clone(), self.now());
        thread.budget = Some(budget);
        let put = ropewalk_runs::record::put_thread(&thread);
        self.scope.commit(Batch::new().put(put.expect(Expect::Any))).await.unwrap();
    }

    async fn spent(&self, owner: &str) -> Vec<(String, i64)> {
        let prefix = format!("{owner}/spent/");
        let counters = self.scope.counters(&prefix).await.unwrap();
        counters.into_iter().map(|(name, value)| (name.replace(&prefix, ""), value)).collect()
    }
}

fn reason(run: &Run) -> Option<RunIncompleteReason> {
    assert_eq!(run.status, RunStatus::Incomplete, "{run:?}");
    run.incomplete_details.clone()?.reason
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_before_the_call_that_its_budget_does_not_cover() {
    for (budget, calls, expected) in [
        (Budget::new().max_total_tokens(100), 2, RunIncompleteReason::MaxTotalTokens),
        (Budget::new().max_model_calls(3), 3, RunIncompleteReason::MaxModelCalls),
    ] {
        let world = World::new().await;
        let model = ScriptedModel::with_turns([call(60), call(60), call(60), call(60)]);
        let engine = world.engine_over(&model);
        let run = world.ends(&engine, world.with_budget(budget)).await;
        assert_eq!(reason(&run), Some(expected));
        assert_eq!(model.requests().len(), calls);
        assert_eq!(run.usage.unwrap().total_tokens, 60 * calls as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_up_in_the_middle_of_a_call_and_waiting_costs_none() {
    let world = World::new().await;
    let think = |seconds| Turn::new().wait(tokio::time::sleep(Duration::from_secs(seconds)));
    let first = think(3).event(ModelEvent::ToolCall(ToolCallPart {
        index: 0,
        id: Some("call_0".to_owned()),
        name: Some("f".to_owned()),
        arguments: "{}".to_owned(),
    }));
    let second = Turn::new().event(ModelEvent::Text("Half".to_owned()));
    let second = second.wait(tokio::time::sleep(Duration::from_secs(100)));
    let engine = world.engine([first.event(ModelEvent::Finish(FinishReason::ToolCalls)), second]);
    let run = engine.create(&world.scope, world.with_budget(Budget::new().max_seconds(5))).await.unwrap().run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begun = world.now();
    let outputs = [ToolOutput::new("call_0", "1")];
    engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(reason(&run), Some(RunIncompleteReason::MaxSeconds));
    assert!((2..=3).contains(&(world.now().0 - begun.0)));
    assert_eq!(world.messages().await.pop().unwrap().text(), "Half");
    assert_eq!(world.spent(&format!("thread/{}", world.thread)).await[1], ("ms".to_owned(), 5000));
}

#[tokio::test(start_paused = true)]
async fn the_runs_of_a_thread_share_its_budget() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([answer(60), answer(60)]);
    let engine = world.engine_over(&model);
    // What was used before the budget was set counts, too.
    let first = world.ends(&engine, NewRun::new(world.run())).await;
    world.set_budget(Budget::new().max_total_tokens(100)).await;
    let second = world.ends(&engine, NewRun::new(world.run())).await;
    assert_eq!((first.status, second.status), (RunStatus::Completed, RunStatus::Completed));
    // The answer may use what is left, and no more.
    assert_eq!(model.requests()[1].max_completion_tokens, Some(40));
    let third = world.ends(&engine, NewRun::new(world.run())).await;
    assert_eq!(reason(&third), Some(RunIncompleteReason::ThreadMaxTotalTokens));
    assert_eq!(model.requests().len(), 2);
    let spent = world.spent(&format!("thread/{}", world.thread)).await;
    assert_eq!(spent, [("calls".to_owned(), 2), ("tokens".to_owned(), 120)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_cut_by_a_budget_says_by_which() {
    let world = World::new().await;
    let cut = Turn::new().event(ModelEvent::Text("Hal".to_owned())).event(usage(20));
    let engine = world.engine([cut.event(ModelEvent::Finish(FinishReason::Length))]);
    world.set_budget(Budget::new().max_total_tokens(20)).await;
    let run = world.ends(&engine, NewRun::new(world.run())).await;
    assert_eq!(reason(&run), Some(RunIncompleteReason::ThreadMaxTotalTokens));
}

#[tokio::test(start_paused = true)]
async fn the_runs_of_a_key_share_its_budget_and_other_keys_do_not_pay() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([answer(10), answer(10), answer(10)]);
    let engine = world.engine_over(&model);
    let made_with = |key: &str| NewRun {
        key: Some(key.to_owned()),
        key_budget: Some(Budget::new().max_model_calls(1)),
        ..NewRun::new(world.run())
    };
    let mut ends = Vec::new();
    for key in ["a", "b", "a"] {
        ends.push(world.ends(&engine, made_with(key)).await);
    }
    assert_eq!((&ends[0].status, &ends[1].status), (&RunStatus::Completed, &RunStatus::Completed));
    assert_eq!(reason(&ends[2]), Some(RunIncompleteReason::KeyMaxModelCalls));
    assert_eq!(world.spent("key/b").await, [("calls".to_owned(), 1), ("tokens".to_owned(), 10)]);
    assert_eq!(model.requests().len(), 2);
}

/// Whether `batch` counts a call of the key `a` that is to begin.
fn prepays(batch: &Batch) -> bool {
    batch
        .operations
        .iter()
        .any(|step| matches!(step, Operation::RequireAtMost(counter, _) if counter == "key/a/spent/calls"))
}

#[tokio::test(start_paused = true)]
async fn of_runs_at_the_same_time_as_many_call_as_their_key_pays_for() {
    // Each has seen that there are calls left before the first of them takes one.
    let all = Arc::new(Barrier::new(9));
    let gate = move |batch: &Batch| {
        let (prepays, all) = (prepays(batch), all.clone());
        async move {
            if prepays {
                all.wait().await;
            }
            Ok(())
        }
        .boxed()
    };
    let world = World::over(Store::new(Gated::new(gate))).await;
    let model = ScriptedModel::with_turns((0..9).map(|_| answer(10)));
    let engine = world.engine_over(&model);
    let ends = (0..9).map(|_| world.ends(&engine, world.with_key(3)));
    let ends = futures_util::future::join_all(ends).await;
    let (completed, others): (Vec<_>, Vec<_>) =
        ends.iter().partition(|run| run.status == RunStatus::Completed);
    assert_eq!((completed.len(), model.requests().len()), (3, 3));
    for run in others {
        assert_eq!(reason(run), Some(RunIncompleteReason::KeyMaxModelCalls));
    }
    assert_eq!(world.spent("key/a").await, [("calls".to_owned(), 3), ("tokens".to_owned(), 30)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_call_of_a_key_is_made_again_if_its_process_dies() {
    let world = World::new().await;
    let dead = world.engine([Turn::new().event(usage(1000)).stall()]);
    let run = dead.create(&world.scope, world.with_key(1)).await.unwrap().run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let next = world.engine([answer(7)]);
    let _work = world.work(&next);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(world.spent("key/a").await, [("calls".to_owned(), 1), ("tokens".to_owned(), 7)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_before_a_call_of_a_key_costs_it_nothing() {
    let (open, begins) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gate = {
        let (open, begins) = (open.clone(), begins.clone());
        move |batch: &Batch| {
            let (prepays, open, begins) = (prepays(batch), open.clone(), begins.clone());
            async move {
                if prepays {
                    begins.add_permits(1);
                    open.acquire().await.unwrap().forget();
                }
                Ok(())
            }
            .boxed()
        }
    };
    let world = World::over(Store::new(Gated::new(gate))).await;
    let model = ScriptedModel::with_turns([answer(7)]);
    let engine = world.engine_over(&model);
    let new = world.with_key(1);
    let thread = new.run.thread_id.clone();
    let run = engine.create(&world.scope, new).await.unwrap().run;
    begins.acquire().await.unwrap().forget();
    engine.cancel(&world.scope, &thread, &run.id).await.unwrap();
    open.add_permits(1);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Cancelled);
    assert!(world.spent("key/a").await.is_empty() && model.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_once_whatever_dies_in_between() {
    let world = World::new().await;
    let dead = world.engine([call(60), Turn::new().event(usage(1000)).stall()]);
    let run = world.start(&dead, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    let outputs = [ToolOutput::new("call_0", "1")];
    dead.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let next = world.engine([answer(7)]);
    let _work = world.work(&next);
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.usage.unwrap().total_tokens, 67);
    let spent = world.spent(&format!("thread/{}", world.thread)).await;
    assert_eq!(spent, [("calls".to_owned(), 2), ("tokens".to_owned(), 67)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_host_does_not_report_is_counted_where_a_limit_needs_it() {
    let silent = || {
        let turn = Turn::new().event(ModelEvent::Text("one two three four".to_owned()));
        turn.event(ModelEvent::Finish(FinishReason::Stop))
    };
    let world = World::new().await;
    let engine = world.engine([silent(), silent()]);
    let counted = world.ends(&engine, world.with_budget(Budget::new().max_total_tokens(10_000))).await;
    let usage = counted.usage.unwrap();
    assert_eq!(usage.completion_tokens, 4);
    assert!(usage.prompt_tokens > 5 && usage.total_tokens == usage.prompt_tokens + 4, "{usage:?}");
    let free = world.ends(&engine, NewRun::new(world.run())).await;
    assert_eq!(free.usage, Some(Usage::default()));
}

#[tokio::test(start_paused = true)]
async fn prompts_are_cut_in_the_middle_to_what_is_left() {
    let world = World::new().await;
    for n in 0..300 {
        let message = world.message(&format!("A thing to know, number {n}."));
        world.scope.commit(Batch::new().put(ropewalk_runs::record::put_message(&message))).await.unwrap();
    }
    let model = ScriptedModel::with_turns([answer(300), Turn::text("x")]);
    let engine = world.engine_over(&model);
    let mut run = world.run();
    run.tools = Vec::new();
    run.max_prompt_tokens = Some(256);
    assert_eq!(world.ends(&engine, NewRun::new(run.clone())).await.status, RunStatus::Completed);
    let shown = &model.requests()[0].messages;
    assert_eq!(shown[0], ChatMessage::user("What is the price?"));
    assert_eq!(shown.last(), Some(&ChatMessage::user("A thing to know, number 299.")));
    assert!((10..40).contains(&shown.len()), "{}", shown.len());

    let long = world.message(&"long ".repeat(300));
    world.scope.commit(Batch::new().put(ropewalk_runs::record::put_message(&long))).await.unwrap();
    run.id = world.run().id;
    let run = world.ends(&engine, NewRun::new(run)).await;
    assert_eq!(reason(&run), Some(RunIncompleteReason::MaxPromptTokens));
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn prompts_fit_into_the_window_that_the_operator_names_and_last_messages_counts() {
    let world = World::new().await;
    for n in 0..300 {
        let message = world.message(&format!("A thing to know, number {n}."));
        world.scope.commit(Batch::new().put(ropewalk_runs::record::put_message(&message))).await.unwrap();
    }
    let model = ScriptedModel::with_turns([answer(10), answer(10)]);
    let mut options = EngineOptions::default();
    options.context_window = Some(1024);
    let engine = world.engine_with(&model, options);
    world.ends(&engine, NewRun::new(world.run())).await;
    let mut run = world.run();
    run.truncation_strategy =
        Some(TruncationStrategy { kind: TruncationKind::LastMessages, last_messages: Some(7) });
    world.ends(&engine, NewRun::new(run)).await;
    let shown: Vec<usize> = model.requests().iter().map(|request| request.messages.len()).collect();
    assert!((40..100).contains(&shown[0]), "{shown:?}");
    assert_eq!(shown[1], 7);
}

#[tokio::test(start_paused = true)]
async fn outputs_that_come_too_late_are_kept_where_none_were() {
    for cancel in [false, true] {
        let world = World::new().await;
        let engine = world.engine([Turn::calls([("f", "{}"), ("g", "{}")])]);
        let work = world.work(&engine);
        let run = world.start(&engine, false).await.run;
        let waiting = world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
        if cancel {
            engine.cancel(&world.scope, &world.thread, &run.id).await.unwrap();
        } else {
            // Nobody has ended the run yet, though its time is over.
            drop(work);
            let left = waiting.expires_at.unwrap().0 - world.now().0;
            tokio::time::sleep(Duration::from_secs(u64::try_from(left).unwrap() + 1)).await;
        }
        let submit = async |call: &str, output: &str| {
            let outputs = [ToolOutput::new(call, output), ToolOutput::new("call_9", "of nothing")];
            engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap_err()
        };
        if cancel {
            world.until(&run.id, |run| run.status.is_terminal()).await;
        }
        let over = if cancel { RunStatus::Cancelled } else { RunStatus::Expired };
        let error = submit("call_0", "late").await;
        assert!(matches!(error, RunError::NotWaiting { status } if status == over));
        let _work = world.work(&engine);
        let ended = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!(ended.status, over);
        for (call, output) in [("call_0", "another"), ("call_1", "later")] {
            submit(call, output).await;
        }
        let step = world.steps(&run.id).await.pop().unwrap();
        let StepDetails::ToolCalls { tool_calls } = step.step_details else { panic!("no calls") };
        let outputs: Vec<_> = tool_calls
            .into_iter()
            .map(|call| match call {
                ToolCallRecord::Function { function, .. } => function.output.unwrap(),
                call => panic!("{call:?}"),
            })
            .collect();
        assert_eq!(outputs, ["late", "later"]);
        assert_eq!(world.stored(&run.id).await, ended);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_run_hears_of_its_next_status_at_once() {
    let world = World::new().await;
    let (release, gate) = tokio::sync::oneshot::channel::<()>();
    let turn = Turn::new().wait(async move { drop(gate.await) });
    let engine = world.engine([turn.event(ModelEvent::Finish(FinishReason::Stop))]);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let changed =
        |seconds| engine.changed(&world.scope, &world.thread, &run.id, Duration::from_secs(seconds));
    let begun = tokio::time::Instant::now();
    let (document, waited) = changed(30).await.unwrap();
    assert_eq!((document.decode::<Run>().unwrap().status, waited), (RunStatus::InProgress, true));
    assert_eq!(begun.elapsed().as_secs(), 30);

    let begun = tokio::time::Instant::now();
    let waiters = futures_util::future::join_all((0..100).map(|_| changed(60)));
    let (waiters, ()) = tokio::join!(waiters, async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        release.send(()).unwrap();
    });
    assert!(begun.elapsed() < Duration::from_millis(2600), "{:?}", begun.elapsed());
    for waiter in waiters {
        assert_eq!(waiter.unwrap().0.decode::<Run>().unwrap().status, RunStatus::Completed);
    }
    assert!(!changed(60).await.unwrap().1);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_another_process_is_heard_of_within_a_second() {
    let world = World::new().await;
    let there = world.engine([Turn::new().stall()]);
    let here = world.engine([]);
    let run = world.start(&there, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let begun = tokio::time::Instant::now();
    let changed = here.changed(&world.scope, &world.thread, &run.id, Duration::from_secs(30));
    let (changed, _) = tokio::join!(changed, async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        there.cancel(&world.scope, &world.thread, &run.id).await.unwrap();
    });
    assert_ne!(changed.unwrap().0.decode::<Run>().unwrap().status, RunStatus::InProgress);
    assert!(begun.elapsed() <= Duration::from_millis(2100), "{:?}", begun.elapsed());
}
