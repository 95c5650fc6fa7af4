use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use rustix::process::getuid;
use tokio::{process::Command, sync::OnceCell};

use crate::{
    Backend, Error, Interpreter, Layer, Limits, SandboxOptions, Session, control_group::Hierarchies,
    plan::Plan, sandbox::blocking, zygote::Zygote,
};

mod bundle;
mod launch;

/// Where `runsc` and Python are, and what a session may use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunscOptions {
    /// The program, by name or by path: `runsc`.
    pub runsc: PathBuf,
    /// How gVisor stands between the guest and the host: `ptrace`, which needs nothing of the host. What else there is, its
    /// version says.
    pub platform: String,
    /// The interpreter, in most cases that of a virtual environment.
    pub python: PathBuf,
    /// Modules that are imported when a session begins, each time anew; one that cannot be is an error. None unless set.
    pub packages: Vec<String>,
    /// What a session may use. gVisor's own memory counts as the session's.
    pub limits: Limits,
    /// Users for sessions: two each, in turns. 200,000 to 265,535.
    pub uids: Range<u32>,
}

impl RunscOptions {
    /// The defaults, with the interpreter at `python`.
    pub fn new(python: impl Into<PathBuf>) -> Self {
        SandboxOptions::new(python).into()
    }
}

/// What sessions of the built-in sandbox would have. There are no layers to be left out.
impl From<SandboxOptions> for RunscOptions {
    fn from(SandboxOptions { python, packages, limits, uids, .. }: SandboxOptions) -> Self {
        Self { runsc: "runsc".into(), platform: "ptrace".to_owned(), python, packages, limits, uids }
    }
}

/// Python sessions in gVisor, started by its program `runsc`: each has a kernel of its own, which no call of a cell passes
/// by. It takes a third of a second and the imports for a session to begin, and cells run slower. Cheap to clone.
///
/// The server must be root, to give each session its users.
#[derive(Debug, Clone)]
pub struct Runsc {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: RunscOptions,
    host: OnceCell<Host>,
    users: AtomicU32,
}

/// What was found on this host.
#[derive(Debug)]
struct Host {
    /// The program, by its whole path.
    runsc: PathBuf,
    plan: Plan,
    hierarchies: Hierarchies,
}

impl Runsc {
    /// Sessions by these options. Nothing is tried before the first one.
    pub fn new(options: RunscOptions) -> Self {
        let (host, users) = (OnceCell::new(), AtomicU32::new(0));
        Self { shared: Arc::new(Shared { options, host, users }) }
    }

    /// Begins a session.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`] if Python or a package cannot be had, [`Error::Layer`] if the server may not choose users, or
    /// namespaces cannot be had, [`Error::Start`] with what `runsc` said, [`Error::Io`]. Nothing is left then.
    pub async fn session(&self) -> Result<Session, Error> {
        let shared = self.shared.clone();
        shared.host.get_or_try_init(|| Host::find(&shared.options)).await?;
        // Dropped on the way, it ends as any session does.
        blocking(move || match shared.host.get() {
            Some(host) => Session::new(launch::launch(&shared, host)?, shared.options.limits.clone()),
            None => Err(Error::Start("its host is not known".to_owned())),
        })
        .await
    }
}

#[async_trait]
impl Backend for Runsc {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        Ok(Box::new(self.session().await?))
    }
}

impl Shared {
    /// A name that no other session of this machine has.
    fn next_name() -> String {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        format!("{}-runsc-{}", std::process::id(), SESSIONS.fetch_add(1, Ordering::Relaxed))
    }

    /// The users of the next session: one for its kernel, and one that its files belong to.
    fn next_uids(&self) -> Result<(u32, u32), Error> {
        let range = &self.options.uids;
        let pairs = range.end.saturating_sub(range.start) / 2;
        let why = match pairs {
            _ if !getuid().is_root() => "the server is not root, and a session in gVisor has two users",
            0 => "there are no two users for a session",
            pairs => {
                let first = range.start + 2 * (self.users.fetch_add(1, Ordering::Relaxed) % pairs);
                return Ok((first, first + 1));
            }
        };
        Err(Error::Layer { layer: Layer::Uid, why: why.to_owned() })
    }
}

impl Host {
    async fn find(options: &RunscOptions) -> Result<Self, Error> {
        let runsc = program(&options.runsc)?;
        let version = Command::new(&runsc).arg("--version").kill_on_drop(true).output().await;
        match version {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(missing(&runsc, &String::from_utf8_lossy(&output.stderr))),
            Err(error) => return Err(missing(&runsc, &error.to_string())),
        }
        let mut python = SandboxOptions::new(&options.python);
        python.limits = options.limits.clone();
        blocking(move || {
            // It knows where its Python lives, and is of no more use here.
            let tree = std::mem::take(&mut Zygote::start(&python)?.tree);
            Ok(Self { runsc, plan: Plan::new(&python, &tree)?, hierarchies: Hierarchies::find() })
        })
        .await
    }
}

/// The whole path of a program, looked for as a shell would: sessions begin with another path.
fn program(runsc: &PathBuf) -> Result<PathBuf, Error> {
    let absolute = |path| std::path::absolute(path).map_err(Error::io("the path of `runsc`"));
    if runsc.components().count() > 1 {
        return absolute(runsc.clone());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(runsc)).find(|path| path.is_file());
    absolute(found.ok_or_else(|| missing(runsc, "it is not on the path"))?)
}

fn missing(runsc: &std::path::Path, why: &str) -> Error {
    let why = why.trim();
    Error::Start(format!(
        "`{}` cannot be run: {why}; gVisor has it (on Debian: apt install runsc)",
        runsc.display()
    ))
}
