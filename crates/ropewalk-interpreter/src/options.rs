use std::{collections::BTreeSet, ops::Range, path::PathBuf, time::Duration};

use crate::Layer;

/// Where Python is, what it has, and what a session may use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The interpreter, in most cases that of a virtual environment.
    pub python: PathBuf,
    /// Modules that are imported once, for all sessions; one that cannot be is an error. None unless set.
    pub packages: Vec<String>,
    /// What a session may use.
    pub limits: Limits,
    /// Layers that are left out, on the operator's word. None unless set; [`Layer::Namespaces`] and
    /// [`Layer::FileSystem`] cannot be.
    pub lifted: BTreeSet<Layer>,
    /// Users for sessions, if the server may choose: one each, in turns. 200,000 to 265,535.
    pub uids: Range<u32>,
}

impl SandboxOptions {
    /// The defaults, with the interpreter at `python`.
    pub fn new(python: impl Into<PathBuf>) -> Self {
        Self {
            python: python.into(),
            packages: Vec::new(),
            limits: Limits::default(),
            lifted: BTreeSet::new(),
            uids: 200_000..265_536,
        }
    }
}

/// What a session may use. The defaults are ample for pandas on a file of a hundred megabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a cell may take; 60 s. It is interrupted then, and its variables stay.
    pub cell: Duration,
    /// How long an interrupted cell may take to end; 2 s. The session is ended then.
    pub grace: Duration,
    /// Memory of all processes together, in bytes, where there are control groups; 2 GiB.
    pub memory: u64,
    /// Computing time of all processes together, in cores, where there are control groups; 1.
    pub cores: u32,
    /// Address space of each process, in bytes; 4 GiB.
    pub address_space: u64,
    /// Processes and threads; 128.
    pub processes: u64,
    /// Open files of each process; 1,024.
    pub open_files: u64,
    /// The largest file, in bytes; 256 MiB.
    pub file: u64,
    /// Bytes of `/mnt/data`; 512 MiB. Twenty thousand files at most.
    pub data: u64,
    /// Bytes of each of standard output and standard error that are kept of a cell; 1 MiB.
    pub printed: usize,
    /// Images of a cell; 20.
    pub images: usize,
    /// Bytes of an image; 8 MiB.
    pub image: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cell: Duration::from_secs(60),
            grace: Duration::from_secs(2),
            memory: 2 << 30,
            cores: 1,
            address_space: 4 << 30,
            processes: 128,
            open_files: 1024,
            file: 256 << 20,
            data: 512 << 20,
            printed: 1 << 20,
            images: 20,
            image: 8 << 20,
        }
    }
}
