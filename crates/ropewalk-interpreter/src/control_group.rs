//! One control group for a session: what all its processes together may use, and an end that none escapes.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::Limits;

/// Where the hierarchies are.
const ROOT: &str = "/sys/fs/cgroup";
/// The group of all sessions' groups.
const OURS: &str = "ropewalk";

/// Microseconds of the clock over which computing time is counted.
const PERIOD: u64 = 100_000;
/// Of these, for a session while no cell of it runs: enough to end quickly, and too little to be worth leaving something behind.
const RESTING: u64 = PERIOD / 10;
/// How often, and how long after another, an empty group is looked for. Processes that were killed leave within
/// milliseconds; under pressure of memory it may take seconds.
const TRIES: u32 = 250;
const LAST_TRIES: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);

/// The hierarchies of this host that the server may write to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hierarchies {
    /// Of the first version, each beside the controller that it is for.
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpu: Option<PathBuf>,
    /// Of the second version: ends all processes of a group at once, and may have the controllers.
    unified: Option<PathBuf>,
    unified_controls: bool,
}

impl Hierarchies {
    /// Looks for them.
    pub(crate) fn find() -> Self {
        let usable = |folder: PathBuf| {
            let folder = folder.join(OURS);
            fs::create_dir_all(&folder).is_ok().then_some(folder)
        };
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path_of = |controller: &str| {
            own.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let names = fields.next()?;
                let path = fields.next()?.trim_start_matches('/').to_owned();
                names.split(',').any(|name| name == controller).then_some(path)
            })
        };
        let first = |controller: &str| {
            let mounted = Path::new(ROOT).join(controller);
            let own = path_of(controller)?;
            mounted.join("cgroup.procs").exists().then(|| usable(mounted.join(own))).flatten()
        };
        let mounted = [Path::new(ROOT).to_owned(), Path::new(ROOT).join("unified")];
        let mounted = mounted.into_iter().find(|folder| folder.join("cgroup.controllers").exists());
        let unified = mounted.and_then(|mounted| usable(mounted.join(path_of("").unwrap_or_default())));
        let unified_controls = unified.as_ref().is_some_and(|folder| {
            // Only a group without processes hands controllers on.
            let parent = folder.parent().unwrap_or(folder);
            for controllers in ["+memory +pids", "+cpu"] {
                let _handed_on = fs::write(parent.join("cgroup.subtree_control"), controllers);
            }
            let _also = fs::write(folder.join("cgroup.subtree_control"), "+cpu");
            fs::write(folder.join("cgroup.subtree_control"), "+memory +pids").is_ok()
        });
        let (memory, pids, cpu) = (first("memory"), first("pids"), first("cpu"));
        let found = Self { memory, pids, cpu, unified, unified_controls };
        found.sweep();
        found
    }

    /// Removes the groups of servers that are gone: they were killed before they could.
    fn sweep(&self) {
        for parent in [&self.memory, &self.pids, &self.cpu, &self.unified].into_iter().flatten() {
            let groups = fs::read_dir(parent).into_iter().flatten().flatten();
            for group in groups {
                let name = group.file_name();
                let owner = name.to_str().and_then(|name| name.split_once('-')).map(|(pid, _)| pid);
                if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                    // What is in use stays.
                    let _kept = fs::remove_dir(group.path());
                }
            }
        }
    }

    /// Whether they bound memory and processes.
    pub(crate) fn are_enough(&self) -> bool {
        self.unified_controls || (self.memory.is_some() && self.pids.is_some())
    }

    /// Makes a group named `name`.
    pub(crate) fn group(&self, name: &str, limits: &Limits) -> io::Result<ControlGroup> {
        let quota = computing_time(limits);
        let mut group = ControlGroup { folders: Vec::new(), kill: None, cpu: None, working: quota };
        // Bounds that there must be, and those that a host may lack.
        let mut add = |parent: &Option<PathBuf>, bounds: &[(&str, u64)], wishes: &[(&str, String)]| {
            let Some(parent) = parent else { return Ok(()) };
            let folder = parent.join(name);
            fs::create_dir(&folder)?;
            group.folders.push(folder.clone());
            for (wish, value) in wishes {
                let _granted = fs::write(folder.join(wish), value);
            }
            bounds.iter().try_for_each(|(bound, value)| fs::write(folder.join(bound), value.to_string()))
        };
        if self.unified_controls {
            let bounds = [("memory.max", limits.memory), ("pids.max", limits.processes)];
            let no_swap = ("memory.swap.max", "0".to_owned());
            add(&self.unified, &bounds, &[no_swap, ("cpu.max", format!("{quota} {PERIOD}"))])?;
        } else {
            let no_swap = ("memory.swappiness", "0".to_owned());
            add(&self.memory, &[("memory.limit_in_bytes", limits.memory)], &[no_swap])?;
            add(&self.pids, &[("pids.max", limits.processes)], &[])?;
            let period = ("cpu.cfs_period_us", PERIOD.to_string());
            add(&self.cpu, &[], &[period, ("cpu.cfs_quota_us", quota.to_string())])?;
            add(&self.unified, &[], &[])?;
        }
        let (cpu, file) =
            if self.unified_controls { (&self.unified, "cpu.max") } else { (&self.cpu, "cpu.cfs_quota_us") };
        group.cpu = cpu.as_ref().map(|parent| parent.join(name).join(file));
        group.kill = self.unified.as_ref().map(|parent| parent.join(name).join("cgroup.kill"));
        Ok(group)
    }
}

/// What a session has while a cell runs, in microseconds of each period.
pub(crate) fn computing_time(limits: &Limits) -> u64 {
    PERIOD * u64::from(limits.cores)
}

/// The group of one session.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    folders: Vec<PathBuf>,
    kill: Option<PathBuf>,
    /// Where its computing time is written, and how much there is of it while a cell runs, in microseconds of each
    /// period.
    cpu: Option<PathBuf>,
    working: u64,
}

impl ControlGroup {
    /// Puts a process into it, and all that it will fork.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), pid.to_string()))
    }

    /// Where its computing time is written, open: whoever outlives the server ends with all that there is of it.
    pub(crate) fn cpu(&self) -> Option<OwnedFd> {
        let file = fs::OpenOptions::new().write(true).open(self.cpu.as_ref()?);
        file.ok().map(OwnedFd::from)
    }

    /// A cell begins: all of its computing time.
    pub(crate) fn work(&self) {
        self.compute(self.working);
    }

    /// No cell runs: what one has left running gets little time.
    pub(crate) fn rest(&self) {
        self.compute(RESTING);
    }

    fn compute(&self, time: u64) {
        if let Some(cpu) = &self.cpu {
            // A host may lack it.
            let _granted = fs::write(cpu, time.to_string());
        }
    }

    /// Ends all processes in it.
    pub(crate) fn kill(&self) {
        // To end takes time too.
        self.work();
        if let Some(kill) = &self.kill {
            // Without it, the end of the first process in their namespace ends them.
            let _none = fs::write(kill, "1");
        }
    }

    /// Removes it, once it is empty.
    pub(crate) async fn remove(mut self) {
        for _ in 0..TRIES {
            if self.try_remove() {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Removes it, once it is empty; waits for that.
    pub(crate) fn remove_now(mut self) {
        for _ in 0..TRIES {
            if self.try_remove() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
    }

    fn try_remove(&mut self) -> bool {
        let is_gone = |folder: &PathBuf| match fs::remove_dir(folder) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        self.folders.retain(|folder| !is_gone(folder));
        self.folders.is_empty()
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // Whoever ends the runtime does not wait for what it removes.
        for _ in 0..LAST_TRIES {
            if self.try_remove() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
        if !self.folders.is_empty() {
            tracing::warn!(folders = ?self.folders, "a control group is left: processes in it do not end");
        }
    }
}
