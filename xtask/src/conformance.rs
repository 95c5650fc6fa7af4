//! The server against programs that others wrote (conformance/README.md), cheap ones first.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{
    process::{cargo, command, root, run, target},
    setup::{NODE_SDKS, Node, PYTHON_SUITES},
};

/// Says which client failed to pass; `binary` is the server.
pub(crate) fn check(binary: &Path) -> anyhow::Result<()> {
    node(binary)?;
    for suite in &PYTHON_SUITES {
        eprintln!("xtask: {}", suite.client);
        let mut pytest = command(suite.python());
        run(pytest.args(["-m", "pytest", suite.folder]).env("ROPEWALK_BIN", binary))
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
        tests.args(["--test", "--test-reporter=dot"]).args(&files);
        tests.env("SDK", sdk).env("SDK_MODULES", Node::modules()).env("ROPEWALK_BIN", binary);
        run(&mut tests).context(sdk)?;
    }
    Ok(())
}

fn rust(binary: &Path) -> anyhow::Result<()> {
    eprintln!("xtask: async-openai");
    let mut tests = cargo(&["test", "--quiet", "--locked", "--manifest-path", "conformance/rust/Cargo.toml"]);
    let folder = target().join("conformance-rust");
    run(tests.env("CARGO_TARGET_DIR", folder).env("ROPEWALK_BIN", binary)).context("async-openai")
}
