//! Who works, and who waits for that.

use std::sync::Arc;

use ropewalk_model::{FinishReason, ModelEvent, ScriptedModel, Turn};
use ropewalk_runs::{BusyPolicy, Engine, EngineOptions, NewRun, RunError, record};
use ropewalk_store::TimeOrderedIds;
use ropewalk_store::{Batch, Kind, Organization, Scope};
use ropewalk_types::{Id, Run, RunId, RunStatus, Thread, ThreadId};
use tokio::sync::Semaphore;

use crate::world::World;

/// An engine in which `active` runs work at once, and each answer waits for a permit of the gate.
fn narrow(world: &World, active: usize, queued: usize) -> (Engine, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let turns = (0..100).map(|_| {
        let gate = gate.clone();
        Turn::new()
            .wait(async move { gate.acquire().await.unwrap().forget() })
            .event(ModelEvent::Text("Done.".to_owned()))
            .event(ModelEvent::Finish(FinishReason::Stop))
    });
    let mut options = EngineOptions::default();
    (options.active_runs, options.queued_runs) = (active, queued);
    (world.engine_with(&ScriptedModel::with_turns(turns), options), gate)
}

/// A run on a thread of its own.
async fn start(world: &World, engine: &Engine, scope: &Scope, stream: bool) -> Result<Run, RunError> {
    let thread = Thread::new(ThreadId::mint(&TimeOrderedIds), world.now());
    scope.commit(Batch::new().put(record::put_thread(&thread))).await.unwrap();
    let mut run = world.run();
    run.thread_id = thread.id;
    let started = engine.create(scope, NewRun { stream, ..NewRun::new(run) }).await?;
    if let Some(stream) = started.stream {
        tokio::spawn(futures_util::StreamExt::for_each(stream, async |_| {}));
    }
    Ok(started.run)
}

async fn status(scope: &Scope, run: &RunId) -> RunStatus {
    let stored = scope.get(Kind::Run, run.as_str()).await.unwrap().unwrap();
    stored.decode::<Run>().unwrap().status
}

async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn runs_wait_queued_and_organisations_take_turns() {
    let world = World::new().await;
    let (engine, gate) = narrow(&world, 1, 100);
    let scopes = [world.scope.clone(), world.store.scope(Organization::new("org-b"))];
    // One organisation comes first with all it has, streamed or not.
    let mut runs = Vec::new();
    for (scope, stream) in [(0, true), (0, false), (0, true), (0, false), (1, false), (1, true)] {
        runs.push((scope, start(&world, &engine, &scopes[scope], stream).await.unwrap()));
    }
    let mut order = Vec::new();
    for _ in 0..runs.len() {
        settle().await;
        let mut at_work = Vec::new();
        for (position, (scope, run)) in runs.iter().enumerate() {
            match status(&scopes[*scope], &run.id).await {
                RunStatus::InProgress => at_work.push(position),
                RunStatus::Queued | RunStatus::Completed => {}
                status => panic!("{status}"),
            }
        }
        assert_eq!(at_work.len(), 1, "one run works at a time");
        order.extend(at_work);
        gate.add_permits(1);
    }
    // The first, then in turns, each in the order of its making.
    assert_eq!(order, [0, 1, 4, 2, 5, 3]);
}

#[tokio::test(start_paused = true)]
async fn too_many_that_wait_are_refused_and_nothing_is_stored() {
    let world = World::new().await;
    let (engine, gate) = narrow(&world, 1, 4);
    let other = world.store.scope(Organization::new("org-b"));
    for _ in 0..3 {
        start(&world, &engine, &world.scope, false).await.unwrap();
        settle().await;
    }
    // Two wait: that is half of the line, and the rest is for others.
    let refused = start(&world, &engine, &world.scope, true).await;
    assert!(matches!(refused, Err(RunError::Overloaded)), "{refused:?}");
    for _ in 0..2 {
        start(&world, &engine, &other, false).await.unwrap();
        settle().await;
    }
    assert!(matches!(start(&world, &engine, &other, false).await, Err(RunError::Overloaded)));
    gate.add_permits(1);
    settle().await;
    start(&world, &engine, &world.scope, false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_can_be_cancelled_and_expires_and_leaves_its_place() {
    let world = World::new().await;
    let (engine, gate) = narrow(&world, 1, 100);
    let _work = world.work(&engine);
    let mut runs = Vec::new();
    for stream in [false, true, false, true] {
        runs.push(start(&world, &engine, &world.scope, stream).await.unwrap());
    }
    settle().await;
    for run in &runs[1..3] {
        engine.cancel(&world.scope, &run.thread_id, &run.id).await.unwrap();
    }
    settle().await;
    for run in &runs[1..3] {
        assert_eq!(status(&world.scope, &run.id).await, RunStatus::Cancelled);
    }
    // The first would work for ever; its time is over, and that of the last with it.
    tokio::time::sleep(std::time::Duration::from_secs(601)).await;
    assert_eq!(status(&world.scope, &runs[0].id).await, RunStatus::Expired);
    assert_eq!(status(&world.scope, &runs[3].id).await, RunStatus::Expired);
    gate.add_permits(10);
    let next = start(&world, &engine, &world.scope, true).await.unwrap();
    settle().await;
    assert_eq!(status(&world.scope, &next.id).await, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_dead_process_wait_for_their_turn_too() {
    let world = World::new().await;
    let (dead, _) = narrow(&world, 3, 100);
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(start(&world, &dead, &world.scope, false).await.unwrap());
    }
    settle().await;
    dead.stop();
    let (engine, gate) = narrow(&world, 2, 100);
    let _work = world.work(&engine);
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    gate.add_permits(5);
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    for run in &runs {
        assert_eq!(status(&world.scope, &run.id).await, RunStatus::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_their_thread_are_bounded_too_though_places_are_free() {
    let world = World::new().await;
    let (engine, _gate) = narrow(&world, 3, 4);
    let queued = || NewRun { busy: BusyPolicy::Queue, ..NewRun::new(world.run()) };
    engine.create(&world.scope, queued()).await.unwrap();
    settle().await;
    for _ in 0..2 {
        engine.create(&world.scope, queued()).await.unwrap();
        settle().await;
    }
    // Two wait: that is half of what may, and the rest is for others.
    let refused = engine.create(&world.scope, queued()).await;
    assert!(matches!(refused, Err(RunError::Overloaded)), "{refused:?}");
    // Whoever need not wait is let in.
    start(&world, &engine, &world.scope, true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stops_lets_go_at_once_and_takes_nothing_back() {
    let world = World::new().await;
    let (engine, _gate) = narrow(&world, 1, 100);
    let _work = world.work(&engine);
    start(&world, &engine, &world.scope, false).await.unwrap();
    settle().await;
    let waits = start(&world, &engine, &world.scope, false).await.unwrap();
    settle().await;
    engine.stop();
    settle().await;
    let stored = world.scope.get(Kind::Run, waits.id.as_str()).await.unwrap().unwrap();
    assert!(stored.due_at.unwrap() <= world.now().0 * 1000 + 999, "it is due for the next one");
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    let later = world.scope.get(Kind::Run, waits.id.as_str()).await.unwrap().unwrap();
    assert_eq!((later.fence, later.due_at), (stored.fence, stored.due_at), "nobody took it");
}
