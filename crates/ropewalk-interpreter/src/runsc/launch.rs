//! The beginning of a session in gVisor, step by step; whatever fails, nothing of it stays.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::{Host, RunscOptions, Shared, bundle::Bundle};
use crate::{
    Error,
    channels::Channels,
    control_group::ControlGroup,
    launch::{Started, go, no_group},
    message, modules,
    process::Process,
    zygote::Source,
};

/// How long gVisor and the imports may take, on a busy machine with cold files.
const IMPORTS: Duration = Duration::from_secs(180);
/// The longest greeting of a guest, in bytes.
const LONGEST_GREETING: usize = 64 * 1024;
/// Bytes of what a session says that did not begin, to show.
const COMPLAINT: usize = 2_000;
/// Threads on the host: gVisor has several for each process within, and those are bounded there.
const THREADS: u64 = 4_096;

/// What the guest says first.
#[derive(Debug, Deserialize)]
struct Greeting {
    failures: BTreeMap<String, String>,
}

/// Begins a session; done when its packages are imported.
pub(super) fn launch(shared: &Shared, host: &Host) -> Result<Started, Error> {
    let mut limits = shared.options.limits.clone();
    limits.processes = THREADS;
    let group = match host.hierarchies.are_enough() {
        true => Some(host.hierarchies.group(&Shared::next_name(), &limits).map_err(no_group)?),
        false => None,
    };
    let (kernel, uid) = shared.next_uids()?;
    let bundle = Bundle::new(&shared.options, host, (kernel, uid));
    let (mut channels, theirs) = Channels::pair()?;
    match begin(&shared.options, &bundle, group.as_ref(), &mut channels, theirs) {
        Ok((first, data)) => Ok(Started { channels, first, data, group, uid }),
        Err(error) => {
            // Its processes were killed, and are gone in a moment.
            if let Some(group) = group {
                group.remove_now();
            }
            Err(match error {
                Error::Start(why) => Error::Start(format!("{why}{}", complaint(&channels.stderr))),
                error => error,
            })
        }
    }
}

/// The processes, in `group` before any of them does anything.
fn begin(
    options: &RunscOptions,
    bundle: &Bundle,
    group: Option<&ControlGroup>,
    channels: &mut Channels,
    theirs: Channels,
) -> Result<(Process, OwnedFd), Error> {
    let first = modules::first_message(modules::GVISOR, &[]);
    let bundle = serde_json::to_vec(bundle).map_err(unclear)?;
    let gone = || Error::errno("the process that starts a session");
    message::send(&channels.init, first.as_bytes(), &[]).map_err(gone())?;
    let cpu = group.and_then(ControlGroup::cpu);
    let descriptors: Vec<_> = theirs.of_worker().into_iter().chain(cpu.as_ref().map(AsFd::as_fd)).collect();
    message::send(&channels.init, &bundle, &descriptors).map_err(gone())?;
    // Ours alone stay open: whoever is gone is seen to be.
    let launcher = start(options, theirs)?;
    let (first, data) = go(&launcher, channels, group)?;
    greet(&mut channels.control, options)?;
    Ok((first, data))
}

/// Starts the launcher. It waits for the session, and the runtime for it.
fn start(options: &RunscOptions, theirs: Channels) -> Result<Source, Error> {
    let unusable = |why: String| Error::Environment { python: options.python.clone(), why };
    let launcher = Command::new(&options.python)
        .args(["-I", "-c", modules::BOOTSTRAP])
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir("/")
        .stdin(theirs.init)
        .stdout(Stdio::null())
        .stderr(theirs.stderr)
        .spawn()
        .map_err(|error| unusable(error.to_string()))?;
    let ended = || Error::Start("it ended at once".to_owned());
    let number = launcher.id().ok_or_else(ended)?;
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw).ok_or_else(ended)?;
    let pidfd =
        pidfd_open(pid, PidfdFlags::empty()).map_err(Error::errno("the process that starts a session"))?;
    Ok(Source { pid: number, pidfd })
}

/// Gives the guest its modules, and hears of its packages.
fn greet(control: &mut UnixStream, options: &RunscOptions) -> Result<(), Error> {
    control.set_read_timeout(Some(IMPORTS)).map_err(Error::io("a socket"))?;
    control.set_write_timeout(Some(IMPORTS)).map_err(Error::io("a socket"))?;
    let modules: Vec<_> = modules::WORKER.into_iter().chain([modules::GUEST]).collect();
    let first = json!({ "modules": modules, "packages": options.packages }).to_string();
    let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
    let silent = |_| Error::Start("gVisor started no session".to_owned());
    control.write_all(&[&length, first.as_bytes()].concat()).map_err(silent)?;
    let mut length = [0; 4];
    control.read_exact(&mut length).map_err(silent)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST_GREETING {
        return Err(Error::Start("its greeting is too long".to_owned()));
    }
    let mut greeting = vec![0; length];
    control.read_exact(&mut greeting).map_err(silent)?;
    let Greeting { failures } = serde_json::from_slice(&greeting).map_err(unclear)?;
    match failures.first_key_value() {
        Some((package, why)) => Err(Error::Environment {
            python: options.python.clone(),
            why: format!("`import {package}` fails in gVisor: {why}"),
        }),
        None => Ok(()),
    }
}

/// What was said on standard error by what did not begin.
fn complaint(stderr: &OwnedFd) -> String {
    let without_waiting = fcntl_getfl(stderr).and_then(|flags| fcntl_setfl(stderr, flags | OFlags::NONBLOCK));
    let mut said = vec![0; COMPLAINT];
    let count = without_waiting.and_then(|()| rustix::io::read(stderr, &mut said)).unwrap_or_default();
    match String::from_utf8_lossy(&said[..count]).trim() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

fn unclear(error: serde_json::Error) -> Error {
    Error::Start(error.to_string())
}
