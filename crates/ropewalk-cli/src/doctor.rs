//! Whether code of models can run here, and if not, why.

use std::path::PathBuf;

use clap::Args;

/// Tries each layer of the code interpreter's sandbox in throw-away sessions, and says which hold.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The Python environment to try. [default: `python` in the data folder]
    #[arg(long, env = "ROPEWALK_INTERPRETER_FOLDER")]
    interpreter_folder: Option<PathBuf>,
    /// The server's data folder. [default: ./ropewalk-data]
    #[arg(long, env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file, of which `data_dir` and `[interpreter]` count here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<std::process::ExitCode> {
        use std::{io::Write, process::ExitCode};

        use ropewalk_interpreter::{Environment, Outcome, Sandbox};

        use crate::settings::{FileSettings, data_dir};

        let file = FileSettings::load(self.config.as_deref())?;
        let data_dir = data_dir(self.data_dir, file.data_dir);
        let folder = self.interpreter_folder.or(file.interpreter.interpreter_folder);
        let folder = folder.unwrap_or_else(|| crate::interpreter::default_folder(&data_dir));
        let environment = Environment::open(&folder)?;
        let findings = Sandbox::examine(environment.options()).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{:<14} {:<9} holds", "layer", "required")?;
        for finding in &findings {
            let required = if finding.layer.is_required() { "yes" } else { "no" };
            match &finding.outcome {
                Outcome::Holds => writeln!(out, "{:<14} {required:<9} yes", finding.layer)?,
                Outcome::NotTried { ground } => {
                    writeln!(out, "{:<14} {required:<9} not tried: it stands on `{ground}`", finding.layer)?;
                }
                Outcome::Missing { why } => {
                    writeln!(out, "{:<14} {required:<9} no: {why}", finding.layer)?;
                    writeln!(out, "{:<24} To have it: {}.", "", finding.layer.remedy())?;
                    if finding.layer.is_required() && finding.layer.can_be_lifted() {
                        writeln!(out, "{:<24} To go without it: --interpreter-lift {}", "", finding.layer)?;
                    }
                }
                outcome => writeln!(out, "{:<14} {required:<9} {outcome:?}", finding.layer)?,
            }
        }
        let packages: Vec<_> =
            environment.packages().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(out, "\nThe environment in {} has {}.", folder.display(), packages.join(", "))?;
        let missing: Vec<_> = findings
            .iter()
            .filter(|finding| finding.layer.is_required() && finding.outcome != Outcome::Holds)
            .map(|finding| finding.layer.name())
            .collect();
        Ok(match missing.is_empty() {
            true => {
                writeln!(out, "code_interpreter runs here.")?;
                ExitCode::SUCCESS
            }
            false => {
                writeln!(out, "code_interpreter is refused here, for want of: {}.", missing.join(", "))?;
                ExitCode::FAILURE
            }
        })
    }
}

#[cfg(not(target_os = "linux"))]
impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<std::process::ExitCode> {
        anyhow::bail!("the sandbox of code_interpreter needs Linux")
    }
}
