use std::fmt;

/// One layer of the wall. Each holds without the others; together no single mistake opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// An unprivileged user, another one for each session where the server may choose.
    Uid,
    /// User, mount, process, network, IPC, host name and control group namespaces of its own.
    Namespaces,
    /// A root of its own: the Python tree read-only, three places in memory to write, bounded in bytes and in files.
    FileSystem,
    /// No capability in any set, and none to be had by running a program.
    Capabilities,
    /// Limits of memory, processes, descriptors and file sizes for each process.
    Rlimits,
    /// A filter of system calls: no sockets but local pairs, no namespaces, no tracing, no foreign call tables.
    Seccomp,
    /// Limits of memory, processes and computing time for all processes of the session together.
    ControlGroup,
    /// Rules of access beside the file system's own, which no mount can undo.
    Landlock,
}

impl Layer {
    /// All of them, in the order in which they are put up.
    pub const ALL: [Self; 8] = [
        Self::ControlGroup,
        Self::Namespaces,
        Self::FileSystem,
        Self::Uid,
        Self::Capabilities,
        Self::Rlimits,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// Its name, as options and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Namespaces => "namespaces",
            Self::FileSystem => "file_system",
            Self::Capabilities => "capabilities",
            Self::Rlimits => "rlimits",
            Self::Seccomp => "seccomp",
            Self::ControlGroup => "control_group",
            Self::Landlock => "landlock",
        }
    }

    /// The layer of this [name](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// Whether there is no session without it, unless it is lifted by name. The others are put up where they can be.
    pub const fn is_required(self) -> bool {
        !matches!(self, Self::ControlGroup | Self::Landlock)
    }

    /// Whether it may be lifted: the others stand on those that may not.
    pub const fn can_be_lifted(self) -> bool {
        !matches!(self, Self::Namespaces | Self::FileSystem)
    }

    /// What the host would have to allow.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Uid => "run the server as root, or as a user of its own that owns nothing else",
            Self::Namespaces => {
                "allow user namespaces (sysctl user.max_user_namespaces above 0, \
                 kernel.apparmor_restrict_unprivileged_userns=0, a container that permits unshare)"
            }
            Self::FileSystem => {
                "allow mounts inside of a mount namespace (a container may have to run with less of a profile)"
            }
            Self::Capabilities => "use a kernel of 3.5 or newer",
            Self::Rlimits => "raise the hard limits of the server's own process (ulimit -H)",
            Self::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER",
            Self::ControlGroup => "let the server write to a control group (root, or a delegated one)",
            Self::Landlock => "use a kernel of 5.13 or newer with Landlock switched on",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
