//! The beginning of a session, step by step; whatever fails, nothing of it stays.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::PoisonError,
};

use serde::Deserialize;

use crate::{
    Error, Layer,
    channels::Channels,
    control_group::ControlGroup,
    message,
    process::{self, Process},
    sandbox::Shared,
    zygote::{Source, Zygote},
};

/// All that the server holds of a session.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) channels: Channels,
    /// The first one of its namespaces: all others end with it.
    pub(crate) first: Process,
    /// Its folder for files.
    pub(crate) data: OwnedFd,
    pub(crate) group: Option<ControlGroup>,
    /// The user that owns its files.
    pub(crate) uid: u32,
}

/// What a session says of its beginning.
#[derive(Debug, Deserialize)]
struct Step {
    /// The step that failed: the name of a layer, in most cases.
    failed: Option<String>,
    why: Option<String>,
    /// What comes with it: the first process of its namespaces, or, with the worker, the folder for files.
    init: Option<u32>,
    ready: Option<u32>,
}

/// Why an attempt to begin a session failed.
struct Failed {
    error: Error,
    /// The zygote that it used is gone or cannot be relied on; another one may be there by now.
    by_zygote: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, by_zygote: false }
    }
}

/// Begins a session, from a new zygote if the one that was there turned out to be broken.
pub(crate) fn launch(shared: &Shared) -> Result<Started, Error> {
    let launched = launch_once(shared).or_else(|Failed { error, by_zygote }| {
        if !by_zygote {
            return Err(error.into());
        }
        tracing::warn!(%error, "the process that sessions are forked from is started anew");
        launch_once(shared)
    });
    launched.map_err(|failed| failed.error)
}

fn launch_once(shared: &Shared) -> Result<Started, Failed> {
    let limits = &shared.options.limits;
    let group = match shared.layers.contains(&Layer::ControlGroup) {
        true => Some(shared.hierarchies.group(&shared.next_name(), limits).map_err(no_group)?),
        false => None,
    };
    let begun = begin(shared, group.as_ref());
    match begun {
        Ok(started) => Ok(Started { group, ..started }),
        Err(error) => {
            // Its processes were killed, and are gone in a moment.
            if let Some(group) = group {
                group.remove_now();
            }
            Err(error)
        }
    }
}

/// The processes, in `group` before any of them does anything. Sockets and pipes are new each time: what an attempt before
/// left behind cannot hear what is said to this one.
fn begin(shared: &Shared, group: Option<&ControlGroup>) -> Result<Started, Failed> {
    let (channels, theirs) = Channels::pair()?;
    let uid = shared.next_uid();
    let plan = shared.plan.of(uid, &shared.options.limits, &shared.layers);
    let cpu = group.and_then(ControlGroup::cpu);
    let descriptors: Vec<_> = [theirs.init.as_fd()]
        .into_iter()
        .chain(theirs.of_worker())
        .chain(cpu.as_ref().map(AsFd::as_fd))
        .collect();
    let mut zygote = shared.zygote.lock().unwrap_or_else(PoisonError::into_inner);
    if zygote.is_broken() {
        *zygote = Zygote::start(&shared.options)?;
    }
    let forked = zygote.fork(&plan, &descriptors);
    let child = forked.map_err(|error| Failed { error, by_zygote: zygote.is_broken() })?;
    drop(zygote);
    // Ours alone would stay open otherwise, and nobody would see that the other end is gone.
    drop(theirs);
    let (first, data) = go(&child, &channels, group)?;
    Ok(Started { channels, first, data, group: None, uid })
}

/// Lets the child that a session comes from go on, in `group`; gives the first process of the session's namespaces and its
/// folder.
pub(crate) fn go(
    child: &Source,
    channels: &Channels,
    group: Option<&ControlGroup>,
) -> Result<(Process, OwnedFd), Error> {
    let gone = go_on(child, channels, group);
    if gone.is_err() {
        // It may be about to fork.
        process::kill(&child.pidfd);
    }
    gone
}

fn go_on(
    child: &Source,
    channels: &Channels,
    group: Option<&ControlGroup>,
) -> Result<(Process, OwnedFd), Error> {
    if let Some(group) = group {
        group.add(child.pid).map_err(no_group)?;
    }
    let init = &channels.init;
    message::send(init, b"g", &[]).map_err(Error::errno("the session's first process"))?;
    let first = Process::new(step(init, |step| step.init.is_some())?);
    let data = step(init, |step| step.ready.is_some())?;
    channels.have_begun()?;
    Ok((first, data))
}

/// Begins a session and ends it.
pub(crate) fn try_out(shared: &Shared) -> Result<(), Error> {
    let Started { first, group, .. } = launch(shared)?;
    first.kill();
    if let Some(group) = group {
        group.remove_now();
    }
    Ok(())
}

pub(crate) fn no_group(error: io::Error) -> Error {
    Error::Layer { layer: Layer::ControlGroup, why: error.to_string() }
}

/// The descriptor that comes with the next step, which is to be the `expected` one.
fn step(init: &OwnedFd, expected: impl Fn(&Step) -> bool) -> Result<OwnedFd, Error> {
    let (said, descriptors) =
        message::receive(init).map_err(|error| Error::Start(format!("it says nothing: {error}")))?;
    if said.is_empty() {
        return Err(Error::Start("it ended at once".to_owned()));
    }
    let step: Step = serde_json::from_slice(&said).map_err(|error| Error::Start(error.to_string()))?;
    if let Some(failed) = &step.failed {
        let why = step.why.clone().unwrap_or_default();
        return Err(match Layer::named(failed) {
            Some(layer) => Error::Layer { layer, why },
            None => Error::Start(format!("{failed}: {why}")),
        });
    }
    let descriptor = descriptors.into_iter().next().filter(|_| expected(&step));
    descriptor.ok_or_else(|| Error::Start("a step is missing".to_owned()))
}
