//! The process that all sessions are forked from.

use std::{
    io::Read,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::net::sockopt;
use serde::Deserialize;

use crate::{Error, SandboxOptions, message, modules, plan::Plan};

/// How long the imports may take, on a busy machine with cold files.
const IMPORTS: Duration = Duration::from_secs(120);
/// How long a fork may take.
const FORK: Duration = Duration::from_secs(10);
/// Bytes of what a broken interpreter says that are shown.
const COMPLAINT: u64 = 2_000;

/// A process with all packages imported that never runs a stranger's code. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Zygote {
    socket: OwnedFd,
    child: Child,
    /// The folders that Python lives in.
    pub(crate) tree: Vec<PathBuf>,
    is_broken: bool,
}

/// What the zygote says first.
#[derive(Debug, Deserialize)]
struct Greeting {
    failures: std::collections::BTreeMap<String, String>,
    tree: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Forked {
    pid: Option<u32>,
    error: Option<String>,
}

/// The process that a session comes from.
pub(crate) struct Source {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

impl Zygote {
    /// Starts it, and waits for its imports.
    pub(crate) fn start(options: &SandboxOptions) -> Result<Self, Error> {
        let environment = |why: String| Error::Environment { python: options.python.clone(), why };
        let (ours, theirs) = message::pair(IMPORTS).map_err(Error::errno("a socket"))?;
        let mut child = Command::new(&options.python)
            .args(["-I", "-c", modules::BOOTSTRAP])
            .env_clear()
            .envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("LANG", "C.UTF-8")])
            .envs([("MPLBACKEND", "agg"), ("PYTHONDONTWRITEBYTECODE", "1")])
            // Where the set-up left matplotlib's list of fonts; to make it takes seconds.
            .env("MPLCONFIGDIR", options.python.with_file_name("../share/matplotlib"))
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| environment(error.to_string()))?;
        let first = modules::first_message(modules::ZYGOTE, &[&options.packages]);
        let greeting = message::send(&ours, first.as_bytes(), &[]).and_then(|()| message::receive(&ours));
        let greeting = match greeting {
            Ok((greeting, _)) if !greeting.is_empty() => greeting,
            _ => return Err(environment(complaint(&mut child))),
        };
        let mut zygote = Self { socket: ours, child, tree: Vec::new(), is_broken: false };
        // Nobody reads it from here on.
        drop(zygote.child.stderr.take());
        let greeting: Greeting =
            serde_json::from_slice(&greeting).map_err(|error| environment(error.to_string()))?;
        if let Some((package, why)) = greeting.failures.first_key_value() {
            return Err(environment(format!("`import {package}` fails: {why}")));
        }
        for direction in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
            sockopt::set_socket_timeout(&zygote.socket, direction, Some(FORK))
                .map_err(Error::errno("a socket"))?;
        }
        zygote.tree = greeting.tree;
        Ok(zygote)
    }

    /// Forks the first process of a session, which owns `descriptors` from then on.
    pub(crate) fn fork(&mut self, plan: &Plan, descriptors: &[BorrowedFd<'_>]) -> Result<Source, Error> {
        let failed = |why: &str| Error::Start(format!("the process that sessions are forked from {why}"));
        let plan = serde_json::to_vec(plan).map_err(|error| Error::Start(error.to_string()))?;
        // Whoever did not answer may do so later: the next one would take that for its own.
        self.is_broken = true;
        message::send(self.socket.as_fd(), &plan, descriptors).map_err(|_| failed("is gone"))?;
        let (answer, pidfd) = message::receive(self.socket.as_fd()).map_err(|_| failed("does not answer"))?;
        let forked: Forked = serde_json::from_slice(&answer).map_err(|_| failed("is gone"))?;
        self.is_broken = false;
        match (forked.pid, pidfd.into_iter().next()) {
            (Some(pid), Some(pidfd)) => Ok(Source { pid, pidfd }),
            _ => Err(failed(&forked.error.unwrap_or_default())),
        }
    }

    #[cfg(test)]
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
    }

    /// Whether it is gone, or cannot be relied on.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What a process says that cannot go on; ends it.
fn complaint(child: &mut Child) -> String {
    let _gone = child.kill();
    let mut said = String::new();
    let stderr = child.stderr.take().map(|stderr| stderr.take(COMPLAINT).read_to_string(&mut said));
    let status = child.wait();
    match said.trim() {
        "" => format!("it ended without a word ({status:?}, {stderr:?})"),
        said => said.to_owned(),
    }
}
