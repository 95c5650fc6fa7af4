//! From a seed to a verdict.

use std::{cell::RefCell, panic, sync::Once, time::Duration};

use tokio::{runtime, task::JoinSet, time::sleep};

use crate::{client::Client, disasters, faulty_store::SLOWEST_ANSWER, follower, trace::Trace, world::World};

/// Seconds that all runs have to end, once no fault comes any more.
const PATIENCE: u64 = 90;

/// What came of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The rule that was broken first, if one was.
    pub broken: Option<String>,
    /// What happened, line by line, if that was asked for.
    pub trace: Vec<String>,
}

/// Lives through the world of `seed`; with `traced`, tells all that happens. The same seed is the same world.
///
/// Each call has a runtime of its own, in which time passes as soon as everybody waits. Call it outside of any other.
#[must_use]
pub fn simulate(seed: u64, traced: bool) -> Outcome {
    listen_to_panics();
    PANIC.take();
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else {
        let broken = Some("there is no runtime: too few threads or files".to_owned());
        return Outcome { seed, broken, trace: Vec::new() };
    };
    let world = runtime.block_on(live(seed, traced));
    drop(runtime);
    if let Some(panic) = PANIC.take() {
        world.broken(panic);
    }
    let (broken, trace) = (world.verdict(), world.trace.lines());
    world.end();
    Outcome { seed, broken, trace }
}

async fn live(seed: u64, traced: bool) -> std::sync::Arc<World> {
    let world = World::new(seed, if traced { Trace::kept() } else { Trace::default() });
    disasters::begin(&world);
    // Somebody has to be there, and something to work on.
    let first = Client { number: 0, world: world.clone() };
    for _ in 0..world.weather.threads {
        first.create_thread().await;
    }
    let mut clients = JoinSet::new();
    for number in 1..=world.weather.clients {
        clients.spawn(Client { number, world: world.clone() }.live());
    }
    clients.join_all().await;
    world.calm_down();
    let patience = PATIENCE + world.jumped_ms() / 1000;
    for _ in 0..patience {
        if world.verdict().is_some() || world.ledger.lock().open_runs().is_empty() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    // What was told to be over lets go of what it held, once the store has answered.
    sleep(SLOWEST_ANSWER + Duration::from_secs(2)).await;
    if world.verdict().is_none() {
        follower::read_everything(&world).await;
        world.ledger.lock().close(&world);
    }
    world
}

thread_local! {
    /// What panicked on this thread.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics in tasks noted, which nobody would hear of otherwise. Those that are meant to happen are silent.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC.with_borrow_mut(|panic| {
                panic.get_or_insert_with(|| info.to_string());
            });
            before(info);
        }));
    });
}
