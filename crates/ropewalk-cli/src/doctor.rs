//! Whether code of models can run here, and if not, why.

#[cfg(target_os = "linux")]
use std::{collections::BTreeSet, fmt, io::Write, path::Path};
use std::{path::PathBuf, process::ExitCode};

use clap::Args;
#[cfg(target_os = "linux")]
use ropewalk_interpreter::{Environment, Finding, Layer, Outcome, Sandbox};

#[cfg(target_os = "linux")]
use crate::{
    interpreter::{default_folder, layers},
    settings::{FileSettings, data_dir},
};

/// Tries each layer of the code interpreter's sandbox in throw-away sessions, and says which hold.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The Python environment to try. [default: `python` in the data folder]
    #[arg(long, env = "ROPEWALK_INTERPRETER_FOLDER")]
    interpreter_folder: Option<PathBuf>,
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
        let findings = Sandbox::examine(environment.options()).await?;
        let report =
            Report { environment: &environment, folder: &folder, findings: &findings, lifted: &lifted };
        write!(std::io::stdout(), "{report}")?;
        Ok(if report.missing().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
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
