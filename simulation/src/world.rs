//! One world: what all its parts share, and the order of its days.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use ropewalk_store::{Clock, Organization};
use ropewalk_types::{IdSource, RunStatus};

use crate::{
    client::Known, clock::Wall, disk::Disk, ledger::Ledger, process::Process, random::Random, trace::Trace,
    weather::Weather,
};

/// What all parts of a world share.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) clock: Arc<Wall>,
    pub(crate) disk: Disk,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) trace: Trace,
    pub(crate) organization: Organization,
    pub(crate) known: Mutex<Known>,
    /// No fault comes any more: what is not over yet has to end.
    calm: AtomicBool,
    ids: Arc<Ids>,
    power_losses: AtomicU64,
    jumped_ms: AtomicU64,
    processes: Mutex<Vec<Arc<Process>>>,
    broken: Mutex<Option<String>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// A world that begins now, in the paused time of a runtime.
    pub(crate) fn new(seed: u64, trace: Trace) -> Arc<Self> {
        let random = Random::new(seed);
        let weather = Weather::of(&random);
        let world = Self {
            random,
            weather,
            clock: Arc::new(Wall::new()),
            disk: Disk::new(),
            ledger: Mutex::default(),
            trace,
            organization: Organization::new("org"),
            known: Mutex::default(),
            power_losses: AtomicU64::new(0),
            jumped_ms: AtomicU64::new(0),
            calm: AtomicBool::new(false),
            ids: Arc::default(),
            processes: Mutex::default(),
            broken: Mutex::default(),
        };
        world.say(|| format!("seed {seed}: {:?}", world.weather));
        Arc::new(world)
    }

    pub(crate) fn ids(&self) -> Arc<Ids> {
        self.ids.clone()
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn calm_down(&self) {
        self.say(|| "calm".to_owned());
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Whether a fault of this chance comes now.
    pub(crate) fn strikes(&self, permille: u64) -> bool {
        !self.is_calm() && self.random.permille(permille)
    }

    /// Adds a line to the trace, if that is kept.
    pub(crate) fn say(&self, line: impl FnOnce() -> String) {
        self.trace.line(|| format!("{:>9.3}  {}", self.clock.elapsed_ms() as f64 / 1000.0, line()));
    }

    /// A rule is broken. The first that is counts.
    pub(crate) fn broken(&self, rule: String) {
        self.say(|| format!("BROKEN: {rule}"));
        self.broken.lock().get_or_insert(rule);
    }

    /// The rule that was broken first.
    pub(crate) fn verdict(&self) -> Option<String> {
        self.broken.lock().clone()
    }

    /// How often the power was lost.
    pub(crate) fn power_losses(&self) -> u64 {
        self.power_losses.load(Ordering::Relaxed)
    }

    pub(crate) fn power_goes(&self) {
        self.power_losses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn jumps(&self, ms: i64) {
        self.say(|| format!("the clock jumps by {ms} ms"));
        self.clock.jump(ms);
        self.jumped_ms.fetch_add(ms.unsigned_abs(), Ordering::Relaxed);
    }

    /// How far the clock jumped in all.
    pub(crate) fn jumped_ms(&self) -> u64 {
        self.jumped_ms.load(Ordering::Relaxed)
    }

    /// Nobody is left who holds a lease: what is leased is due.
    pub(crate) fn free_leases(&self) {
        let now = self.clock.now_ms();
        for (run, status) in self.ledger.lock().open_runs() {
            if status != RunStatus::RequiresAction {
                self.disk.free_lease(&self.organization, &run, now);
            }
        }
    }

    /// Lets go of its processes, which know it.
    pub(crate) fn end(&self) {
        self.processes.lock().drain(..).for_each(|process| process.end());
    }

    pub(crate) fn add_process(&self, make: impl FnOnce(usize) -> Arc<Process>) -> Arc<Process> {
        let mut processes = self.processes.lock();
        let process = make(processes.len());
        processes.push(process.clone());
        process
    }

    pub(crate) fn process(&self, number: usize) -> Option<Arc<Process>> {
        self.processes.lock().get(number).cloned()
    }

    pub(crate) fn living(&self) -> Vec<Arc<Process>> {
        self.processes.lock().iter().filter(|process| process.is_alive()).cloned().collect()
    }
}

/// Ids by count.
#[derive(Debug, Default)]
pub(crate) struct Ids(AtomicU64);

impl IdSource for Ids {
    fn body(&self) -> String {
        format!("{:05}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}
