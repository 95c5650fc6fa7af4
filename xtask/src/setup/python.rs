//! Virtual environments below `target/python`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::ensure;

use super::{fill, read};
use crate::process::{command, output, succeeds, target};

/// Tests in Python, and the environment that they run in.
#[derive(Debug)]
pub(crate) struct PythonSuite {
    /// The folder of the tests; its `requirements.txt` names each package at one version.
    pub(crate) folder: &'static str,
    /// What it is tested with: a package and its version.
    pub(crate) client: &'static str,
}

/// Cheap ones first. Of the official SDK: the newest release, and the last of 1.x and 2.x.
pub(crate) const PYTHON_SUITES: [PythonSuite; 5] = [
    PythonSuite { folder: "conformance/langchain", client: "langchain-classic==1.0.8" },
    PythonSuite { folder: "conformance/semantic_kernel", client: "semantic-kernel==1.45.0" },
    PythonSuite { folder: "conformance/python", client: "openai==2.54.0" },
    PythonSuite { folder: "conformance/python", client: "openai==1.109.1" },
    PythonSuite { folder: "conformance/python", client: "openai==3.54.0" },
];

/// New enough to install into other environments, whatever came with Python.
const PIP: &str = "pip==25.3";

impl PythonSuite {
    /// The Python of its environment.
    pub(crate) fn python(&self) -> PathBuf {
        program(&self.environment(), "python")
    }

    pub(super) fn install(&self) -> anyhow::Result<()> {
        let file = format!("{}/requirements.txt", self.folder);
        let requirements = read(&file)?;
        // Nothing is resolved: the file names all.
        let packages = [self.client, "--no-deps", "-r", &file];
        environment(&self.environment(), &packages, &format!("{}\n{requirements}", self.client))
    }

    fn environment(&self) -> PathBuf {
        target().join("python").join(self.client.replace("==", "-"))
    }
}

/// Makes a virtual environment with these packages, as `fill` does.
pub(super) fn environment(folder: &Path, packages: &[&str], contents: &str) -> anyhow::Result<()> {
    fill(folder, contents, || {
        let mut pip = pip()?;
        eprintln!("xtask: installing {}", folder.file_name().unwrap_or_default().display());
        output(command("python3").args(["-m", "venv", "--clear", "--without-pip"]).arg(folder))?;
        pip.arg("--python").arg(folder);
        // What is imported is compiled then; most never is.
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
        output(pip.args(packages)).map(drop)
    })
}

/// The one pip for all environments: to give each its own takes longer than most installations.
fn pip() -> anyhow::Result<Command> {
    let folder = target().join("python").join("pip");
    let run = || {
        let mut pip = command(program(&folder, "python"));
        pip.args(["-m", "pip"]);
        pip
    };
    fill(&folder, PIP, || {
        output(command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        output(run().args(["install", "--quiet", "--disable-pip-version-check", PIP])).map(drop)
    })?;
    Ok(run())
}

/// A program of a virtual environment.
pub(super) fn program(environment: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join(name).with_extension("exe")
    } else {
        environment.join("bin").join(name)
    }
}

/// Debian ships Python's virtual environments apart from Python.
pub(super) fn ensure() -> anyhow::Result<()> {
    let is_whole = || succeeds(command("python3").args(["-c", "import ensurepip, venv"]));
    if !is_whole() && succeeds(command("apt-get").arg("--version")) {
        eprintln!("xtask: installing python3-venv");
        output(command("apt-get").args(["update", "--quiet"]))?;
        output(command("apt-get").args(["install", "--yes", "--quiet", "python3-venv"]))?;
    }
    ensure!(is_whole(), "the tests need Python 3.10 or newer with its venv module (on Debian: python3-venv)");
    Ok(())
}
