//! What the zygote is told of a session to begin: all policy is made here, Python only carries it out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustix::process::getuid;
use serde::Serialize;

use crate::{Error, Layer, Limits, SandboxOptions, control_group::computing_time, filter};

/// The user within, whoever it is outside.
pub(crate) const INSIDE: u32 = 1000;
/// The first to go when the machine runs out of memory.
const OOM_SCORE_ADJ: i32 = 500;
/// Files in each place that can be written.
const MOST_FILES: u32 = 20_000;
const TEMPORARY: u64 = 256 << 20;
const SHARED_MEMORY: u64 = 64 << 20;

/// Where a session's root is put together: a folder that is there on every host and shows nothing that a session needs.
pub(crate) const STAGING: &str = "/mnt";

/// A session to begin.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    layers: Vec<&'static str>,
    uid: u32,
    inside: u32,
    oom_score_adj: i32,
    computing_time: u64,
    staging: &'static str,
    read_only: Vec<PathBuf>,
    etc: BTreeMap<&'static str, &'static str>,
    writable: BTreeMap<&'static str, String>,
    pub(crate) limits: BTreeMap<&'static str, u64>,
    pub(crate) environment: BTreeMap<&'static str, String>,
    filters: Vec<String>,
    calls: BTreeMap<&'static str, i64>,
}

impl Plan {
    /// What all sessions have in common; `tree`: the folders that Python lives in.
    pub(crate) fn new(options: &SandboxOptions, tree: &[PathBuf]) -> Result<Self, Error> {
        let filters = filter::programs().map_err(|error| Error::Start(error.to_string()))?;
        let home = options.python.parent().unwrap_or(Path::new("/usr/bin"));
        let environment = [
            // pandas cuts its tables to the width of a terminal.
            ("COLUMNS", "120".to_owned()),
            ("HOME", "/mnt/data".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("MPLBACKEND", "agg".to_owned()),
            ("MPLCONFIGDIR", "/tmp/matplotlib".to_owned()),
            ("OMP_NUM_THREADS", "1".to_owned()),
            ("OPENBLAS_NUM_THREADS", "1".to_owned()),
            ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", home.display())),
            // Without a network it would try for ten seconds.
            ("PIP_NO_INDEX", "1".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("TMPDIR", "/tmp".to_owned()),
        ];
        let etc = [
            ("passwd", "python:x:1000:1000::/mnt/data:/bin/sh\n"),
            ("group", "python:x:1000:\n"),
            ("hosts", "127.0.0.1 localhost\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        ];
        let system = ["/usr", "/bin", "/lib", "/lib64"].map(PathBuf::from);
        Ok(Self {
            layers: Vec::new(),
            uid: 0,
            inside: INSIDE,
            oom_score_adj: OOM_SCORE_ADJ,
            computing_time: computing_time(&options.limits),
            staging: STAGING,
            read_only: system.into_iter().chain(tree.iter().cloned()).collect(),
            etc: etc.into(),
            writable: BTreeMap::new(),
            limits: limits(&options.limits),
            environment: environment.into(),
            filters: filters.iter().map(|program| BASE64_STANDARD.encode(program)).collect(),
            calls: [
                ("capset", libc::SYS_capset),
                ("mount_setattr", libc::SYS_mount_setattr),
                ("pivot_root", libc::SYS_pivot_root),
                ("seccomp", libc::SYS_seccomp),
            ]
            .into(),
        })
    }

    /// One session's: its user, and the layers that it has.
    pub(crate) fn of(&self, uid: u32, limits: &Limits, layers: &BTreeSet<Layer>) -> Self {
        // Whoever mounts names users as its own namespace does: root before there is one, others within theirs.
        let owner = if getuid().is_root() { uid } else { INSIDE };
        let place =
            |bytes: u64| format!("size={bytes},nr_inodes={MOST_FILES},uid={owner},gid={owner},mode=700");
        let writable = [
            ("/mnt/data", place(limits.data)),
            ("/tmp", place(TEMPORARY)),
            ("/dev/shm", place(SHARED_MEMORY)),
        ];
        Self {
            uid,
            layers: layers.iter().map(|layer| layer.name()).collect(),
            writable: writable.into(),
            ..self.clone()
        }
    }
}

fn limits(limits: &Limits) -> BTreeMap<&'static str, u64> {
    [
        ("AS", limits.address_space),
        ("NPROC", limits.processes),
        ("NOFILE", limits.open_files),
        ("FSIZE", limits.file),
        ("CORE", 0),
        ("MSGQUEUE", 0),
        ("MEMLOCK", 0),
    ]
    .into()
}
