use std::os::fd::OwnedFd;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
    process::{Signal, pidfd_send_signal},
};

/// A process that is killed when nobody holds it any more.
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

impl Process {
    pub(crate) fn new(pidfd: OwnedFd) -> Self {
        Self(pidfd)
    }

    pub(crate) fn kill(&self) {
        kill(&self.0);
    }

    /// Waits for its end, and says whether it came in time.
    pub(crate) fn ends_within(&self, time: &Timespec) -> bool {
        let mut end = [PollFd::new(&self.0, PollFlags::IN)];
        !matches!(retry_on_intr(|| poll(&mut end, Some(time))), Ok(0))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn kill(pidfd: &OwnedFd) {
    // It may be gone already.
    let _gone = pidfd_send_signal(pidfd, Signal::KILL);
}
