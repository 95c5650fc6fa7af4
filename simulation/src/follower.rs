//! Clients that come back: they read the events of a run from wherever they were, on whatever server is there.

use std::{sync::Arc, time::Duration};

use ropewalk_events::Grammar;
use ropewalk_types::{RunId, ThreadId};
use tokio::time::{sleep, timeout};

use crate::{
    process::Process,
    reader::{End, Heard, Manner},
    world::World,
};

/// How often one comes back.
const MOST_TRIES: u64 = 60;

/// Follows a run from its first event, or from the middle, until it is over; leaves and comes back as it likes.
pub(crate) async fn follow(world: Arc<World>, thread: ThreadId, run: RunId) {
    let from_start = world.random.permille(700);
    let grammar = from_start.then(Grammar::whole_run);
    let told = world.ledger.lock().last_told(run.as_str());
    let after = if from_start { None } else { Some(world.random.below(told + 1)) };
    world.say(|| format!("somebody follows {run} from {after:?}"));
    let mut heard = Heard::new(run.clone(), thread.clone(), grammar, after);
    for _ in 0..MOST_TRIES {
        sleep(world.random.ms(0..1_500)).await;
        let Some(process) = world.random.pick(&world.living()).cloned() else { continue };
        match read_on(&process, &thread, &run, &mut heard, Manner::any(&world)).await {
            Some(End::Done) | None => return,
            Some(End::Error | End::Broken | End::Left) => {}
        }
    }
}

/// Reads all events of all runs that are there when nothing happens any more.
pub(crate) async fn read_everything(world: &Arc<World>) {
    let runs = world.ledger.lock().all_runs();
    for (run, thread) in runs {
        let Some(process) = world.living().first().cloned() else { return };
        let (run, thread) = (RunId::new(run), ThreadId::new(thread));
        let mut heard = Heard::new(run.clone(), thread.clone(), Some(Grammar::whole_run()), None);
        heard.kept = Some(Vec::new());
        let read = read_on(&process, &thread, &run, &mut heard, Manner::ToTheEnd);
        match timeout(Duration::from_secs(20), read).await {
            Ok(Some(End::Done)) => {
                let journal = heard.kept.take().unwrap_or_default();
                world.ledger.lock().judge_journal(world, run.as_str(), &journal);
            }
            end => world.broken(format!("the events of {run} are not there: {end:?}")),
        }
    }
}

/// Reads behind what was heard; `None` if there is no such run.
async fn read_on(
    process: &Process,
    thread: &ThreadId,
    run: &RunId,
    heard: &mut Heard,
    manner: Manner,
) -> Option<End> {
    let (engine, scope) = process.engine()?;
    let stream = tokio::select! {
        biased;
        () = process.death() => return Some(End::Broken),
        stream = engine.events(&scope, thread, run, heard.last.unwrap_or_default()) => stream,
    };
    match stream {
        Ok(stream) => Some(heard.read(process, stream, manner).await),
        Err(ropewalk_runs::RunError::NoRun(_)) => None,
        Err(_) => Some(End::Error),
    }
}
