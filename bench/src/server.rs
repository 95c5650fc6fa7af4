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
use tempfile::TempDir;

/// What a server writes to its log before its address.
pub(crate) const LISTENING: &str = "listening on http://";
/// The key of the one organisation that the server is given.
pub(crate) const KEY: &str = "sk-bench-0123456789abcdef";

/// A process that is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it keeps, gone with it.
    _folder: Option<TempDir>,
}

impl Server {
    /// A scripted Chat Completions server.
    pub(crate) fn upstream() -> anyhow::Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg("upstream"), None)
    }

    /// The smallest server in front of `upstream`.
    pub(crate) fn floor(upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([OsStr::new("floor"), upstream.to_string().as_ref(), folder.path().as_os_str()]);
        Self::start(&mut command, Some(folder))
    }

    /// The real server in front of `upstream`, at its defaults, with a key file.
    pub(crate) fn ropewalk(program: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let keys = folder.path().join("keys.json");
        fs::write(&keys, format!(r#"{{"keys":[{{"key":"{KEY}","organization":"org-bench"}}]}}"#))?;
        let program =
            program.canonicalize().with_context(|| format!("no server at {}", program.display()))?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--upstream-key", "sk-upstream"]);
        command.args(["--upstream".as_ref(), format!("http://{upstream}/v1").as_ref() as &OsStr]);
        command.args([
            "--api-keys".as_ref(),
            keys.as_os_str(),
            "--data-dir".as_ref(),
            folder.path().as_os_str(),
        ]);
        // Settings of whoever measures are not its defaults.
        command.current_dir(folder.path()).env("NO_COLOR", "1");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"ROPEWALK_"))
        {
            command.env_remove(name);
        }
        Self::start(&mut command, Some(folder))
    }

    fn start(command: &mut Command, folder: Option<TempDir>) -> anyhow::Result<Self> {
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
        let server = Self { child, address: address.unwrap_or(([127, 0, 0, 1], 0).into()), _folder: folder };
        ensure!(address.is_some(), "a server did not say where it listens");
        Ok(server)
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

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
