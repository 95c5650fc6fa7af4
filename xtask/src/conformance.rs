//! The server against programs that others wrote (conformance/README.md), cheap ones first.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use crate::{
    process::{cargo, command, output, root, run, target},
    setup::{NODE_SDKS, Node, PYTHON_SUITES, contract_python, interpreter_folder},
};

/// Says which client failed to pass; `binary` is the server.
pub(crate) fn check(binary: &Path) -> anyhow::Result<()> {
    node(binary)?;
    for suite in &PYTHON_SUITES {
        eprintln!("xtask: {}", suite.client);
        let mut pytest = command(suite.python());
        run(pytest
            .args(["-m", "pytest", suite.folder])
            .env("ROPEWALK_BIN", binary)
            .env("ROPEWALK_INTERPRETER", interpreter_folder()))
        .with_context(|| suite.client)?;
    }
    rust(binary)
}

fn node(binary: &Path) -> anyhow::Result<()> {
    let node = Node::find()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("conformance/node"))? {
        files.extend(Some(entry?.path()).filter(|path| path.to_string_lossy().ends_with(".test.mjs")));
    }
    files.sort();
    for sdk in NODE_SDKS {
        eprintln!("xtask: {sdk}");
        let mut tests = command(node.program());
        tests.args(["--test", "--test-reporter=spec"]).args(&files);
        tests.env("SDK", sdk).env("SDK_MODULES", Node::modules());
        // Shown if it fails: the reporter that says least says nothing of why.
        output(with_harness(&mut tests, binary)).context(sdk)?;
    }
    Ok(())
}

fn rust(binary: &Path) -> anyhow::Result<()> {
    eprintln!("xtask: async-openai");
    let mut tests = cargo(&["test", "--quiet", "--locked", "--manifest-path", "conformance/rust/Cargo.toml"]);
    tests.env("CARGO_TARGET_DIR", target().join("conformance-rust"));
    run(with_harness(&mut tests, binary)).context("async-openai")
}

/// Tells tests in another language what runs the harness, which is in Python.
fn with_harness<'a>(tests: &'a mut Command, binary: &Path) -> &'a mut Command {
    tests.env("HARNESS_PYTHON", contract_python()).env("ROPEWALK_BIN", binary)
}
