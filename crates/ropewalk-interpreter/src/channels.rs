//! What goes between the server and a session.

use std::{
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use rustix::{
    net::sockopt,
    pipe::{PipeFlags, pipe_with},
};

use crate::{Error, message};

/// How long each step of a beginning may take on a busy machine.
const STEP: Duration = Duration::from_secs(10);
/// How long an order to a session may wait for room: whoever does not take it is about to end.
const ORDER: Duration = Duration::from_millis(100);

/// One side of all ways to a session.
#[derive(Debug)]
pub(crate) struct Channels {
    /// To the first process of its namespaces.
    pub(crate) init: OwnedFd,
    /// To the worker.
    pub(crate) control: UnixStream,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Channels {
    /// The server's side, which waits for ten seconds for each step, and the session's.
    pub(crate) fn pair() -> Result<(Self, Self), Error> {
        let (init, init_theirs) = message::pair(STEP).map_err(Error::errno("a socket"))?;
        let (control, control_theirs) = UnixStream::pair().map_err(Error::io("a socket"))?;
        let (stdout, stdout_theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::errno("a pipe"))?;
        let (stderr, stderr_theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::errno("a pipe"))?;
        let theirs =
            Self { init: init_theirs, control: control_theirs, stdout: stdout_theirs, stderr: stderr_theirs };
        Ok((Self { init, control, stdout, stderr }, theirs))
    }

    /// Of all but the first process, in the order that a session takes them in.
    pub(crate) fn of_worker(&self) -> [BorrowedFd<'_>; 3] {
        [self.control.as_fd(), self.stdout.as_fd(), self.stderr.as_fd()]
    }

    /// From here on nobody waits long for the first process to take what it is told.
    pub(crate) fn have_begun(&self) -> Result<(), Error> {
        sockopt::set_socket_timeout(&self.init, sockopt::Timeout::Send, Some(ORDER))
            .map_err(Error::errno("a socket"))
    }
}
