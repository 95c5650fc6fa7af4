//! A process: an engine with its worker, and the door that all its calls go through.
//!
//! A process dies at its door. What it does between two calls happens at one moment, so a death there looks like one
//! before the next call or after the last. Of a dead process nothing comes out any more: its tasks are still there, and
//! each waits for ever at the door.

use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use ropewalk_runs::{Clock, Engine, EngineOptions};
use ropewalk_store::{Scope, Store};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::ProcessClock, faulty_model::FaultyModel, faulty_store::FaultyStore, faulty_tool, notices::Notices,
    world::World,
};

/// One process over the world's disk.
pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) world: Arc<World>,
    pub(crate) born_ms: u64,
    alive: AtomicBool,
    died_ms: AtomicU64,
    death: CancellationToken,
    /// It holds the process in turn: the end of the world takes it away.
    engine: Mutex<Option<(Engine, Scope, CancellationToken)>>,
    leaving: AtomicBool,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.number)
    }
}

impl Process {
    /// Starts a process, its worker too.
    pub(crate) fn start(world: &Arc<World>) -> Arc<Self> {
        if world.weather.processes == 1 {
            // It has the data for itself: whoever held a lease is gone.
            world.free_leases();
        }
        let process = world.add_process(|number| {
            Arc::new(Self {
                number,
                world: world.clone(),
                born_ms: world.clock.elapsed_ms(),
                alive: AtomicBool::new(true),
                died_ms: AtomicU64::new(u64::MAX),
                death: CancellationToken::new(),
                engine: Mutex::default(),
                leaving: AtomicBool::new(false),
            })
        });
        world.say(|| format!("{process:?} starts"));
        let store = Store::new(FaultyStore(process.clone()));
        let clock: Arc<dyn Clock> = Arc::new(ProcessClock::new(&world.clock));
        let mut options = EngineOptions::default();
        if let Some((active, queued)) = world.weather.admits {
            (options.active_runs, options.queued_runs) = (active, queued);
        }
        let model = Arc::new(FaultyModel(process.clone()));
        let engine = Engine::new(store.clone(), model, clock, world.ids(), options)
            .with_tools(faulty_tool::tools(&process))
            .with_outbox(Arc::new(Notices(world.clone())));
        let worker = engine.clone();
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move { worker.work(until).await });
        *process.engine.lock() = Some((engine, store.scope(world.organization.clone()), stop));
        process
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// When it died, if it did.
    pub(crate) fn died_ms(&self) -> Option<u64> {
        Some(self.died_ms.load(Ordering::Relaxed)).filter(|died| *died != u64::MAX)
    }

    pub(crate) async fn death(&self) {
        self.death.cancelled().await;
    }

    /// The engine, and what it reaches in the store.
    pub(crate) fn engine(&self) -> Option<(Engine, Scope)> {
        self.engine.lock().as_ref().map(|(engine, scope, _)| (engine.clone(), scope.clone()))
    }

    /// Lets go of the engine, at the end of the world.
    pub(crate) fn end(&self) {
        self.engine.lock().take();
    }

    /// Whether it lets go of what it has, as it is to stop.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Stops as a server does: what is under way may end, but for so long only.
    pub(crate) async fn leave(&self, within: Duration) {
        let Some((engine, _, stop)) = self.engine.lock().clone() else { return };
        self.world.say(|| format!("{self:?} is to stop within {within:?}"));
        self.leaving.store(true, Ordering::Relaxed);
        // In time or not, it goes.
        let _idle = timeout(within, engine.idle()).await;
        stop.cancel();
        self.kill("in peace");
    }

    pub(crate) fn kill(&self, how: &str) {
        if self.alive.swap(false, Ordering::Relaxed) {
            self.world.say(|| format!("{self:?} dies {how}"));
            self.died_ms.store(self.world.clock.elapsed_ms(), Ordering::Relaxed);
            self.death.cancel();
        }
    }

    /// A moment at which the process may die.
    pub(crate) async fn passes(&self, moment: impl Fn() -> String) {
        if self.is_alive() && self.world.strikes(self.world.weather.crash) {
            self.kill(&moment());
        }
        self.lives().await;
    }

    /// Goes on in a process that lives only.
    pub(crate) async fn lives(&self) {
        if !self.is_alive() {
            pending::<()>().await;
        }
    }

    /// Takes so long; whoever dies meanwhile does not come back.
    pub(crate) async fn takes(&self, duration: Duration) {
        if !duration.is_zero() {
            sleep(duration).await;
        }
        self.lives().await;
    }
}
