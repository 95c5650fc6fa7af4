use std::{io, path::PathBuf};

use crate::Layer;

/// Why there is no session, or it did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Python did not start, or lacks a package.
    #[error("the Python environment at {} cannot be used: {why}", .python.display())]
    Environment {
        /// The interpreter that was tried.
        python: PathBuf,
        /// What it said.
        why: String,
    },
    /// A layer of the wall that is required does not hold on this host.
    #[error("the layer `{layer}` of the sandbox does not hold here: {why}; {}", .layer.remedy())]
    Layer {
        /// Which one.
        layer: Layer,
        /// What the system said.
        why: String,
    },
    /// A layer that everything else stands on was to be left out.
    #[error("the layer `{0}` of the sandbox cannot be lifted: without it there is no place for a session")]
    NotLifted(Layer),
    /// A session did not begin, though its layers may hold.
    #[error("no session could be started: {0}")]
    Start(String),
    /// A path that would not lead to a plain name in the session's folder.
    #[error(
        "`{0}` is no path of a file in the session: its names must be plain, without control characters, of 255 bytes at most, \
         and lie eight folders deep at most"
    )]
    Name(String),
    /// A file of the session is none to take: a link, a device, too large.
    #[error("`{name}` is not taken out of the session: {why}")]
    File {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no room for a file of the session.
    #[error("the session's folder is full")]
    Full,
    /// The system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    #[cfg(any(target_os = "linux", feature = "testing"))]
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn errno(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self::Io { what, source: errno.into() }
    }
}
