//! The server under test: the real binary, killed and started again over the same folder and on the same port.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::{Instant, sleep},
};

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// What is shown of the log when something went wrong, in bytes.
const LOG_TAIL: usize = 4000;

/// A server process, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    upstream: SocketAddr,
    pub(crate) address: SocketAddr,
    /// Bound to the port and never listening, so that nobody else gets it while the server is dead.
    _port: TcpSocket,
    child: Option<Child>,
    /// How often the server was started, while it lives.
    alive: watch::Sender<Option<u64>>,
    starts: u64,
}

impl Server {
    /// A server that keeps all it has in `folder`, not started yet.
    pub(crate) fn new(program: &Path, folder: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        let program =
            program.canonicalize().with_context(|| format!("no server at {}", program.display()))?;
        let port = TcpSocket::new_v4()?;
        port.set_reuseaddr(true)?;
        port.bind(([127, 0, 0, 1], 0).into())?;
        Ok(Self {
            program,
            folder: folder.to_owned(),
            upstream,
            address: port.local_addr()?,
            _port: port,
            child: None,
            alive: watch::Sender::new(None),
            starts: 0,
        })
    }

    /// Tells who waits for the server when it lives, and for the how-many-th time.
    pub(crate) fn alive(&self) -> watch::Receiver<Option<u64>> {
        self.alive.subscribe()
    }

    /// Starts the server, and waits until it takes connections.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let mut serve = Command::new(&self.program);
        // Settings of whoever runs this are not the server's.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"ROPEWALK_") {
                serve.env_remove(name);
            }
        }
        let log = File::options().create(true).append(true).open(self.log())?;
        serve
            .current_dir(&self.folder)
            .env("NO_COLOR", "1")
            .env("RUST_LOG", "info")
            .env("RUST_BACKTRACE", "1");
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        serve.args(["serve", "--data-dir", "data", "--listen", &self.address.to_string()]);
        serve.args(["--upstream", &format!("http://{}/v1", self.upstream), "--upstream-key", "sk-upstream"]);
        serve.args(["--upstream-timeout", "5", "--upstream-idle-timeout", "1", "--stream-keep-alive", "1"]);
        // Many fail here at any time. Left alone after a few in a row, the upstream would be blamed on the server.
        serve.args(["--upstream-failures", "20"]);
        self.child = Some(serve.spawn()?);
        self.starts += 1;
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.ended()? {
                bail!("the server ended with {status} when it was started:\n{}", self.log_tail());
            }
            ensure!(Instant::now() < end, "the server takes no connections:\n{}", self.log_tail());
            sleep(LOOK_AGAIN).await;
        }
        self.alive.send_replace(Some(self.starts));
        Ok(())
    }

    /// Kills the server as the system does when it is out of memory.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        ensure!(self.ended()?.is_none(), "the server died by itself:\n{}", self.log_tail());
        let mut child = self.child.take().context("the server was not started")?;
        child.kill()?;
        child.wait()?;
        self.alive.send_replace(None);
        Ok(())
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("the server was not started")?;
        kill_process(Pid::from_child(child), Signal::TERM)?;
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.ended()? {
                break status;
            }
            ensure!(Instant::now() < end, "the server does not stop:\n{}", self.log_tail());
            sleep(LOOK_AGAIN).await;
        };
        ensure!(status.success(), "the server ended with {status}:\n{}", self.log_tail());
        Ok(())
    }

    /// Lines of the log in which the server says that it broke.
    pub(crate) fn broken_lines(&self) -> Vec<String> {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let broken = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
        log.lines().filter(broken).map(str::to_owned).collect()
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
