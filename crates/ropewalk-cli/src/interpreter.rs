//! Where code of models runs: flags of `serve`, and the command that makes the environment.

mod backend;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, builder::BoolishValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use ropewalk_interpreter::{Environment, Layer, Progress, SetUp};
use ropewalk_server::CodeInterpreterOptions;
use serde::Deserialize;

pub(crate) use self::backend::BackendName;
#[cfg(target_os = "linux")]
pub(crate) use self::backend::runsc_of;
use crate::settings::{FileSettings, data_dir};

/// The most that one call may take: a day.
const LONGEST_CELL: u64 = 24 * 3600;

/// Flags of `serve`, and the table `[interpreter]` of the settings file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Code interpreter")]
pub(crate) struct InterpreterFlags {
    /// The Python environment that code of models runs in, as `ropewalk interpreter setup` makes it. [default: `python` in the
    /// data folder, if it is there]
    #[arg(long, env = "ROPEWALK_INTERPRETER_FOLDER")]
    #[serde(rename = "folder")]
    pub(crate) interpreter_folder: Option<PathBuf>,
    /// Runs no code, though there is an environment: runs that need it fail with a reason.
    #[arg(long, env = "ROPEWALK_NO_INTERPRETER", value_parser = BoolishValueParser::new())]
    #[serde(rename = "off")]
    no_interpreter: bool,
    /// What stands between the code and the host. [default: built-in]
    #[arg(long, env = "ROPEWALK_INTERPRETER_BACKEND")]
    #[serde(rename = "backend")]
    pub(crate) interpreter_backend: Option<BackendName>,
    /// gVisor's program, for the backend of its name. [default: `runsc` on the path]
    #[arg(long, env = "ROPEWALK_INTERPRETER_RUNSC", value_name = "PATH")]
    #[serde(rename = "runsc")]
    pub(crate) interpreter_runsc: Option<PathBuf>,
    /// Layers of the sandbox to go without, by name; `ropewalk doctor` lists them. The log and each run step say so.
    #[arg(long, env = "ROPEWALK_INTERPRETER_LIFT", value_name = "LAYER", value_delimiter = ',')]
    #[serde(rename = "lift")]
    pub(crate) interpreter_lift: Vec<String>,
    /// Most sessions at once, one for a thread; the idlest of the organisation that has most gives way. [default: 32]
    #[arg(long, env = "ROPEWALK_INTERPRETER_SESSIONS")]
    #[serde(rename = "sessions")]
    interpreter_sessions: Option<usize>,
    /// Most sessions of one organisation at once, so that others find room while all of its own run. [default: no bound]
    #[arg(long, env = "ROPEWALK_INTERPRETER_SESSIONS_PER_ORGANIZATION")]
    #[serde(rename = "sessions_per_organization")]
    interpreter_sessions_per_organization: Option<usize>,
    /// Keeps no session ready for the next thread: its first call then waits for one to begin.
    #[arg(long, env = "ROPEWALK_INTERPRETER_NO_SPARE", value_parser = BoolishValueParser::new())]
    #[serde(rename = "no_spare")]
    interpreter_no_spare: bool,
    /// Seconds that a session may be idle. Its files are kept, its variables are not. [default: 1200]
    #[arg(long, env = "ROPEWALK_INTERPRETER_IDLE")]
    #[serde(rename = "idle")]
    interpreter_idle: Option<u64>,
    /// Seconds that a session may last in all. [default: 3600]
    #[arg(long, env = "ROPEWALK_INTERPRETER_LONGEST")]
    #[serde(rename = "longest")]
    interpreter_longest: Option<u64>,
    /// Seconds that one call may take; it is interrupted then. [default: 60]
    #[arg(long, env = "ROPEWALK_INTERPRETER_CELL_SECONDS")]
    #[serde(rename = "cell_seconds")]
    interpreter_cell_seconds: Option<u64>,
    /// MiB of memory of a session, where there are control groups. [default: 2048]
    #[arg(long, env = "ROPEWALK_INTERPRETER_MEMORY_MB")]
    #[serde(rename = "memory_mb")]
    interpreter_memory_mb: Option<u64>,
}

/// Makes what code of models runs in.
#[derive(Debug, Args)]
pub(crate) struct Interpreter {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the Python environment, or does nothing if it is there with the same packages.
    Setup(Setup),
}

#[derive(Debug, Args)]
struct Setup {
    /// Where. [default: `python` in the data folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The server's data folder. [default: ./ropewalk-data]
    #[arg(long, env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file, of which `data_dir` counts here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
    /// Requirements file of pip: what sessions shall have. [default: numpy, pandas, matplotlib, scipy, Pillow and more]
    #[arg(long)]
    requirements: Option<PathBuf>,
    /// Python 3.10 or newer, with its `venv` module.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Makes it anew, also if it is there with the same packages. Only while no server uses it.
    #[arg(long)]
    again: bool,
}

impl Interpreter {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Command::Setup(setup) = self.command;
        tokio::task::spawn_blocking(move || setup.run()).await?
    }
}

impl Setup {
    fn run(self) -> anyhow::Result<()> {
        let file = FileSettings::load(self.config.as_deref())?;
        let folder = self.folder.unwrap_or_else(|| default_folder(&data_dir(self.data_dir, file.data_dir)));
        let mut set_up = SetUp::default();
        (set_up.python, set_up.again) = (self.python, self.again);
        if let Some(path) = &self.requirements {
            set_up.requirements = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let drawn = io::stderr().is_terminal();
        let show = |Progress { done, of, what, .. }| {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_message(what.clone());
            if !drawn {
                eprintln!("{done}/{of} {what}");
            }
        };
        let made = Environment::set_up(&folder, &set_up, show);
        bar.finish_and_clear();
        let made = made?;
        eprintln!(
            "The environment in {} has Python {} and {} packages.",
            folder.display(),
            made.python_version(),
            made.packages().count()
        );
        Ok(())
    }
}

/// Where an environment is looked for that nobody names.
pub(crate) fn default_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("python")
}

impl InterpreterFlags {
    /// What is set here, and in `file` where it is not.
    fn or(self, file: Self) -> Self {
        Self {
            interpreter_folder: self.interpreter_folder.or(file.interpreter_folder),
            no_interpreter: self.no_interpreter || file.no_interpreter,
            interpreter_backend: self.interpreter_backend.or(file.interpreter_backend),
            interpreter_runsc: self.interpreter_runsc.or(file.interpreter_runsc),
            interpreter_lift: match self.interpreter_lift.is_empty() {
                true => file.interpreter_lift,
                false => self.interpreter_lift,
            },
            interpreter_sessions: self.interpreter_sessions.or(file.interpreter_sessions),
            interpreter_sessions_per_organization: self
                .interpreter_sessions_per_organization
                .or(file.interpreter_sessions_per_organization),
            interpreter_no_spare: self.interpreter_no_spare || file.interpreter_no_spare,
            interpreter_idle: self.interpreter_idle.or(file.interpreter_idle),
            interpreter_longest: self.interpreter_longest.or(file.interpreter_longest),
            interpreter_cell_seconds: self.interpreter_cell_seconds.or(file.interpreter_cell_seconds),
            interpreter_memory_mb: self.interpreter_memory_mb.or(file.interpreter_memory_mb),
        }
    }

    /// Where code runs, if it does; begins to get it ready.
    pub(crate) fn options(
        self,
        file: Self,
        data_dir: &Path,
    ) -> anyhow::Result<Option<CodeInterpreterOptions>> {
        let flags = self.or(file);
        if flags.no_interpreter {
            return Ok(None);
        }
        let folder = flags.interpreter_folder.clone();
        let environment = match (&folder, default_folder(data_dir)) {
            (Some(folder), _) => Environment::open(folder)?,
            (None, folder) if folder.exists() => match Environment::open(folder) {
                Ok(environment) => environment,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "code_interpreter is off");
                    return Ok(None);
                }
            },
            (None, folder) => {
                tracing::info!(
                    "code_interpreter is off: there is no Python environment in {}; `ropewalk interpreter setup` makes one",
                    folder.display()
                );
                return Ok(None);
            }
        };
        flags.of(&environment).map(Some)
    }

    fn of(self, environment: &Environment) -> anyhow::Result<CodeInterpreterOptions> {
        let mut sandbox = environment.options();
        sandbox.lifted = layers(&self.interpreter_lift)?;
        let backend = self.interpreter_backend.unwrap_or_default();
        ensure!(
            sandbox.lifted.is_empty() || backend == BackendName::BuiltIn,
            "--interpreter-lift is for the built-in backend: another one has no such layers"
        );
        for layer in &sandbox.lifted {
            tracing::warn!(
                "code runs without the layer `{layer}` of its sandbox, as --interpreter-lift says"
            );
        }
        let seconds = |flag: &str, value: Option<u64>, default: Duration| match value {
            Some(0) => bail!("--interpreter-{flag} is in seconds: at least 1"),
            value => Ok(value.map_or(default, Duration::from_secs)),
        };
        ensure!(
            self.interpreter_cell_seconds.is_none_or(|seconds| seconds <= LONGEST_CELL),
            "--interpreter-cell-seconds is the seconds of one call: at most {LONGEST_CELL}"
        );
        sandbox.limits.cell = seconds("cell-seconds", self.interpreter_cell_seconds, sandbox.limits.cell)?;
        if let Some(memory) = self.interpreter_memory_mb {
            ensure!(memory >= 256, "--interpreter-memory-mb is in MiB: at least 256");
            let limits = &mut sandbox.limits;
            limits.memory = memory.saturating_mul(1 << 20);
            // What a session may use, one process of it must be able to have, and address space is never used in full.
            limits.address_space = limits.address_space.max(limits.memory.saturating_mul(2));
        }
        let cell = sandbox.limits.cell;
        let mut options =
            CodeInterpreterOptions::new(backend::backend(backend, sandbox, self.interpreter_runsc)?);
        options.cell = cell;
        options.packages =
            environment.packages().map(|(name, version)| format!("{name} {version}")).collect();
        let pool = &mut options.pool;
        pool.most = self.interpreter_sessions.unwrap_or(pool.most);
        ensure!(pool.most > 0, "--interpreter-sessions is a number of sessions: at least 1");
        pool.most_per_owner = self.interpreter_sessions_per_organization;
        ensure!(
            pool.most_per_owner != Some(0),
            "--interpreter-sessions-per-organization is a number of sessions: at least 1"
        );
        pool.spare = !self.interpreter_no_spare;
        pool.idle = seconds("idle", self.interpreter_idle, pool.idle)?;
        pool.longest = seconds("longest", self.interpreter_longest, pool.longest)?;
        Ok(options)
    }
}

/// The layers of these names.
pub(crate) fn layers(names: &[String]) -> anyhow::Result<BTreeSet<Layer>> {
    let layer = |name: &String| {
        let layer = Layer::named(name).with_context(|| {
            let known: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
            format!("--interpreter-lift {name}: the layers are {}", known.join(", "))
        })?;
        ensure!(
            layer.can_be_lifted(),
            "--interpreter-lift {name}: without it there is no place for a session"
        );
        Ok(layer)
    };
    names.iter().map(layer).collect()
}
