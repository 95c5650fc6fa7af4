//! A server under measurement: a process of its own, on a port that the system picked.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use ropewalk_store::{Organization, Scope, Store};
use tempfile::TempDir;

/// What a server writes to its log before its address.
pub(crate) const LISTENING: &str = "listening on http://";
/// The key of the one organisation that the server is given.
pub(crate) const KEY: &str = "sk-bench-0123456789abcdef";
/// That organisation.
const ORGANIZATION: &str = "org-bench";

/// How the real server knows who calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys {
    /// It does not: all is one organisation's.
    None,
    /// By a file that it read when it started.
    File,
    /// By what `ropewalk keys` stored, looked up with each request.
    Stored,
}

/// A process that is killed when this is dropped.
pub(crate) struct Server {
    command: Command,
    child: Child,
    pub(crate) address: SocketAddr,
    /// A key that opens it.
    pub(crate) key: String,
    /// What it keeps, gone with it.
    folder: Option<TempDir>,
}

impl Server {
    /// A scripted Chat Completions server.
    pub(crate) fn upstream() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("upstream");
        Self::start(command, None)
    }

    /// The smallest server in front of `upstream`.
    pub(crate) fn floor(upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([OsStr::new("floor"), upstream.to_string().as_ref(), folder.path().as_os_str()]);
        Self::start(command, Some(folder))
    }

    /// The real server in front of `upstream`, with a key file; all else at its defaults, but for how many streams may be
    /// open.
    pub(crate) fn ropewalk(program: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::ropewalk_with(Keys::File, program, upstream)
    }

    /// The same with these keys.
    pub(crate) fn ropewalk_with(keys: Keys, program: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program =
            program.canonicalize().with_context(|| format!("no server at {}", program.display()))?;
        let command = |name: &str| {
            let mut command = Command::new(&program);
            command.arg(name);
            // Settings of whoever measures are not its defaults.
            command.current_dir(folder.path()).env("NO_COLOR", "1");
            for (name, _) in
                std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"ROPEWALK_"))
            {
                command.env_remove(name);
            }
            command
        };
        let mut serve = command("serve");
        serve.args(["--listen", "127.0.0.1:0", "--upstream-key", "sk-upstream"]);
        serve.args(["--upstream", &format!("http://{upstream}/v1")]).arg("--data-dir").arg(folder.path());
        serve.args([
            "--max-streams",
            "8192",
            "--max-streams-per-organization",
            "8192",
            "--max-active-runs",
            "8192",
        ]);
        let mut key = KEY.to_owned();
        match keys {
            Keys::None => {}
            Keys::File => {
                let file = folder.path().join("keys.json");
                let known = format!(r#"{{"keys":[{{"key":"{KEY}","organization":"{ORGANIZATION}"}}]}}"#);
                fs::write(&file, known)?;
                serve.arg("--api-keys").arg(file);
            }
            Keys::Stored => {
                let mut create = command("keys");
                create.args(["create", "--organization", ORGANIZATION, "--data-dir"]).arg(folder.path());
                let created = create.output()?;
                ensure!(created.status.success(), "no key: {}", String::from_utf8_lossy(&created.stderr));
                key = String::from_utf8(created.stdout)?.trim().to_owned();
            }
        }
        let mut server = Self::start(serve, Some(folder))?;
        server.key = key;
        Ok(server)
    }

    fn start(mut command: Command, folder: Option<TempDir>) -> anyhow::Result<Self> {
        let (child, address) = spawn(&mut command)?;
        Ok(Self { command, child, address, key: KEY.to_owned(), folder })
    }

    /// Kills the server, and starts it again over what it keeps. It listens elsewhere then.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.address) = spawn(&mut self.command)?;
        Ok(())
    }

    /// What the organisation has in the store of the real server, while that runs.
    pub(crate) fn documents(&self) -> anyhow::Result<Scope> {
        let folder = self.folder.as_ref().context("the server keeps nothing")?;
        Ok(Store::sqlite_beside(folder)?.scope(Organization::new(ORGANIZATION)))
    }

    /// The CPU time that it took so far, in user and kernel mode, all threads together.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold blanks; behind it the times are the 12th and 13th field, in hundredths.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        let times: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|time| time.parse().ok()).collect();
        ensure!(times.len() == 2, "/proc has no CPU times");
        Ok(Duration::from_millis(10 * times.iter().sum::<u64>()))
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc has no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

/// Starts a server and waits until it says where it listens.
fn spawn(command: &mut Command) -> anyhow::Result<(Child, SocketAddr)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let log = BufReader::new(child.stderr.take().context("the log is a pipe")?);
    let (sender, receiver) = mpsc::channel();
    // Reads to the end, so that the server never waits for room in the pipe.
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once(LISTENING) {
                let _ = sender.send(rest.split_whitespace().next().unwrap_or_default().to_owned());
            } else if line.contains("ERROR") {
                eprintln!("{line}");
            }
        }
    });
    let address = receiver.recv_timeout(Duration::from_secs(30)).ok().and_then(|text| text.parse().ok());
    if address.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok((child, address.context("a server did not say where it listens")?))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
