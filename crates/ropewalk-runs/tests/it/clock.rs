use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, UNIX_EPOCH},
};

use ropewalk_model::{FinishReason, ModelEvent, ScriptedModel, Turn};
use ropewalk_runs::{Clock, Engine, EngineOptions};
use ropewalk_store::{SteadyClock, Store, TimeOrderedIds};
use ropewalk_types::{RunStatus, ToolOutput};
use tokio::{runtime::Builder, time::Instant};

use crate::world::World;

const HOUR: i64 = 3600;

/// The world's time on the wall of one machine, for each process on it to look at, and what it is set away: seconds.
#[derive(Clone)]
struct Wall(Instant, Arc<AtomicI64>);

impl Wall {
    fn new() -> Self {
        Self(Instant::now(), Arc::default())
    }

    /// The clock of a process that starts now.
    fn clock(&self) -> Arc<SteadyClock> {
        let (Self(start, away), begun) = (self.clone(), Instant::now());
        let wall = move || {
            let seconds = 1_800_000_000 + away.load(Relaxed);
            UNIX_EPOCH + Duration::from_secs(seconds as u64) + start.elapsed()
        };
        Arc::new(SteadyClock::new(wall, move || begun.elapsed()))
    }
}

fn engine(world: &World, clock: Arc<dyn Clock>, model: &ScriptedModel) -> Engine {
    let ids = Arc::new(TimeOrderedIds);
    Engine::new(world.store.clone(), Arc::new(model.clone()), clock, ids, EngineOptions::default())
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_an_hour_away_ends_no_run_and_no_lease() {
    for jump in [-HOUR, HOUR] {
        let (world, wall) = (World::new().await, Wall::new());
        let model = ScriptedModel::with_turns([Turn::new()
            .wait(tokio::time::sleep(Duration::from_secs(300)))
            .event(ModelEvent::Text("In time.".to_owned()))
            .event(ModelEvent::Finish(FinishReason::Stop))]);
        let engines = [engine(&world, wall.clock(), &model), engine(&world, wall.clock(), &model)];
        let _work = engines.each_ref().map(|engine| world.work(engine));
        let run = world.start(&engines[0], false).await.run;
        tokio::time::sleep(Duration::from_secs(10)).await;
        wall.1.store(jump, Relaxed);
        let run = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!((run.status, model.requests().len()), (RunStatus::Completed, 1), "nobody took it over");
        let lasted = run.completed_at.unwrap().0 - run.created_at.0;
        assert!((297..=303).contains(&lasted), "{lasted} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_expires_in_its_time_whatever_the_wall_says() {
    for jump in [-HOUR, HOUR] {
        let (world, wall) = (World::new().await, Wall::new());
        let engine = engine(&world, wall.clock(), &ScriptedModel::with_turns([Turn::calls([("f", "{}")])]));
        let _work = world.work(&engine);
        let run = world.start(&engine, false).await.run;
        world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
        wall.1.store(jump, Relaxed);
        let begun = Instant::now();
        world.until(&run.id, |run| run.status == RunStatus::Expired).await;
        assert!((590..=610).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}

/// A clock that stands still: no lease ever ends by itself.
#[derive(Debug)]
struct Still(i64);

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        self.0 * 1000
    }
}

#[test]
fn the_runs_of_a_server_that_died_go_on_at_once_whatever_the_time_is_then() {
    let now = 1_800_000_000;
    let texts = || ScriptedModel::with_turns([Turn::text("Done."), Turn::text("Done.")]);
    for jump in [-HOUR, 0, 400] {
        let folder = tempfile::tempdir().unwrap();
        // A process is a runtime: its tasks die with it.
        let process = || Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (waits, works, thread) = process().block_on(async {
            let store = Store::sqlite(folder.path()).unwrap();
            let (world, other) = (World::over(store.clone()).await, World::over(store).await);
            let asks = engine(
                &world,
                Arc::new(Still(now)),
                &ScriptedModel::with_turns([Turn::calls([("f", "{}")])]),
            );
            let waits = world.start(&asks, false).await.run.id;
            world.until(&waits, |run| run.status == RunStatus::RequiresAction).await;
            let stalls =
                engine(&other, Arc::new(Still(now)), &ScriptedModel::with_turns([Turn::new().stall()]));
            let works = other.start(&stalls, false).await.run.id;
            other.until(&works, |run| run.status == RunStatus::InProgress).await;
            (waits, works, world.thread)
        });
        process().block_on(async {
            let world = World::over(Store::sqlite(folder.path()).unwrap()).await;
            let engine = engine(&world, Arc::new(Still(now + jump)), &texts());
            let _work = world.work(&engine);
            // A lease that was waited for would not end.
            world.until(&works, |run| run.status == RunStatus::Completed).await;
            assert_eq!(
                world.stored(&waits).await.status,
                RunStatus::RequiresAction,
                "it has its deadline still"
            );
            let outputs = [ToolOutput::new("call_0", "the output")];
            engine.submit(&world.scope, &thread, &waits, &outputs, false).await.unwrap();
            world.until(&waits, |run| run.status == RunStatus::Completed).await;
        });
    }
}
