//! Whether code of models can run here, and if not, why.

#[cfg(target_os = "linux")]
use std::{collections::BTreeSet, fmt, io::Write, path::Path, time::Instant};
use std::{path::PathBuf, process::ExitCode};

#[cfg(target_os = "linux")]
use anyhow::ensure;
use clap::Args;
#[cfg(target_os = "linux")]
use ropewalk_interpreter::{CellEnd, Environment, Finding, Layer, Outcome, Sandbox};

use crate::interpreter::BackendName;
#[cfg(target_os = "linux")]
use crate::{
    interpreter::{default_folder, layers, runsc_of},
    settings::{FileSettings, data_dir},
};

/// Tries each layer of the code interpreter's sandbox in throw-away sessions, and says which hold; of gVisor, whether a session
/// runs.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The Python environment to try. [default: `python` in the data folder]
    #[arg(long, env = "ROPEWALK_INTERPRETER_FOLDER")]
    interpreter_folder: Option<PathBuf>,
    /// What stands between the code and the host. [default: built-in]
    #[arg(long, env = "ROPEWALK_INTERPRETER_BACKEND")]
    interpreter_backend: Option<BackendName>,
    /// gVisor's program, for the backend of its name. [default: `runsc` on the path]
    #[arg(long, env = "ROPEWALK_INTERPRETER_RUNSC", value_name = "PATH")]
    interpreter_runsc: Option<PathBuf>,
    /// Layers that the server goes without, as its own `--interpreter-lift`: for want of them it does not refuse.
    #[arg(long, env = "ROPEWALK_INTERPRETER_LIFT", value_name = "LAYER", value_delimiter = ',')]
    interpreter_lift: Vec<String>,
    /// The server's data folder. [default: ./ropewalk-data]
    #[arg(long, env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file, of which `data_dir` and `[interpreter]` count here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let file = FileSettings::load(self.config.as_deref())?;
        let data_dir = data_dir(self.data_dir, file.data_dir);
        let folder = self.interpreter_folder.or(file.interpreter.interpreter_folder);
        let folder = folder.unwrap_or_else(|| default_folder(&data_dir));
        let lifted = match self.interpreter_lift.is_empty() {
            true => layers(&file.interpreter.interpreter_lift)?,
            false => layers(&self.interpreter_lift)?,
        };
        let environment = Environment::open(&folder)?;
        if self.interpreter_backend.or(file.interpreter.interpreter_backend) == Some(BackendName::Runsc) {
            let runsc = self.interpreter_runsc.or(file.interpreter.interpreter_runsc);
            return try_gvisor(&environment, runsc).await;
        }
        let findings = Sandbox::examine(environment.options()).await?;
        let report =
            Report { environment: &environment, folder: &folder, findings: &findings, lifted: &lifted };
        write!(std::io::stdout(), "{report}")?;
        Ok(if report.missing().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Runs a cell in a session of gVisor.
#[cfg(target_os = "linux")]
async fn try_gvisor(environment: &Environment, runsc: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut session = runsc_of(environment.options(), runsc).session().await?;
    let took = begun.elapsed();
    let end = session.run("pass").end().await;
    session.end().await;
    ensure!(end == CellEnd::Completed, "a session began in gVisor, but ran no code: {end:?}");
    writeln!(
        std::io::stdout(),
        "A session began in gVisor, with its packages, in {took:.1?}.\ncode_interpreter runs here."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What was found, for people.
#[cfg(target_os = "linux")]
struct Report<'a> {
    environment: &'a Environment,
    folder: &'a Path,
    findings: &'a [Finding],
    lifted: &'a BTreeSet<Layer>,
}

#[cfg(target_os = "linux")]
impl Report<'_> {
    /// The layers for want of which the tool is refused.
    fn missing(&self) -> impl Iterator<Item = &'static str> {
        let missing = self.findings.iter().filter(|finding| {
            finding.layer.is_required()
                && finding.outcome != Outcome::Holds
                && !self.lifted.contains(&finding.layer)
        });
        missing.map(|finding| finding.layer.name())
    }
}

#[cfg(target_os = "linux")]
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14} {:<9} holds", "layer", "required")?;
        for Finding { layer, outcome, .. } in self.findings {
            let is_lifted = self.lifted.contains(layer);
            let required = match (is_lifted, layer.is_required()) {
                (true, _) => "lifted",
                (false, true) => "yes",
                (false, false) => "no",
            };
            let holds = match outcome {
                Outcome::Holds => "yes".to_owned(),
                Outcome::Missing { why } => format!("no: {why}"),
                Outcome::NotTried { ground } => format!("not tried: it stands on `{ground}`"),
                outcome => format!("{outcome:?}"),
            };
            writeln!(f, "{layer:<14} {required:<9} {holds}")?;
            if !matches!(outcome, Outcome::Missing { .. }) {
                continue;
            }
            writeln!(f, "{:<24} To have it: {}.", "", layer.remedy())?;
            if layer.is_required() && layer.can_be_lifted() && !is_lifted {
                writeln!(f, "{:<24} To go without it: --interpreter-lift {layer}", "")?;
            }
        }
        let packages = self.environment.packages().map(|(name, version)| format!("{name} {version}"));
        writeln!(
            f,
            "\nThe environment in {} has Python {} and {}.",
            self.folder.display(),
            self.environment.python_version(),
            packages.collect::<Vec<_>>().join(", ")
        )?;
        let missing: Vec<_> = self.missing().collect();
        match missing.is_empty() {
            true => writeln!(f, "code_interpreter runs here."),
            false => writeln!(f, "code_interpreter is refused here, for want of: {}.", missing.join(", ")),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("the sandbox of code_interpreter needs Linux")
    }
}
