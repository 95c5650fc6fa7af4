//! Every test, in the order of how soon each can say no.

use std::{
    env::consts::EXE_SUFFIX,
    path::PathBuf,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail, ensure};

use crate::{
    codegen, conformance, floors,
    process::{cargo, command, output, root, run as call, succeeds, target},
    setup, simulate,
    workspace::Workspace,
};

/// The one set of packages and features that everything is built with: another set is another build.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// How long an example may take.
const EXAMPLE: Duration = Duration::from_secs(60);

/// Passes every test, or stops at the first that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let begun = Instant::now();
    stage("setup", "see what could not be installed, above", setup::run)?;
    stage("format", "run `cargo fmt --all`, also in conformance/rust", || {
        call(&mut cargo(&["fmt", "--all", "--check"]))?;
        call(&mut cargo(&["fmt", "--check", "--manifest-path", "conformance/rust/Cargo.toml"]))
    })?;
    stage("generated files", "run `cargo xtask codegen`", || codegen::run(true))?;
    let workspace = Workspace::load()?;
    stage("dependencies", "see docs/architecture.md and deny.toml", || dependencies(&workspace))?;
    stage("lints", "mend what clippy says; `#[expect(.., reason = \"..\")]` where it is wrong", || {
        call(cargo(&["clippy", "--all-targets"]).args(EVERYTHING).args(["--", "--deny", "warnings"]))
    })?;
    // With the targets of tests, so that they use what is built here.
    stage("build", "mend the build", || call(cargo(&["build", "--all-targets"]).args(EVERYTHING)))?;
    stage("tests", "run the failed test alone: `cargo nextest run NAME`", tests)?;
    stage("doctests", "mend the example in the docs", || {
        call(cargo(&["test", "--doc", "--quiet"]).args(EVERYTHING))
    })?;
    stage("examples", "run the example as its first line says", || examples(&workspace))?;
    stage("each crate alone", "give the crate the features that it uses itself", each_alone)?;
    stage("benchmark, in small", "run `cargo xtask bench --quick`", bench)?;
    stage("chaos", "run `cargo xtask chaos --seed SEED` with the seed that it printed", chaos)?;
    stage("simulation", "run `cargo xtask simulate --seed SEED` with the seed that it printed", || {
        simulate::check(&built("ropewalk-simulate"))
    })?;
    stage("openapi document", "see conformance/contract/README.md", contract)?;
    stage("conformance", "see conformance/README.md for how to run one test", || {
        conformance::check(&built("ropewalk"))
    })?;
    eprintln!("xtask: everything passed in {:.0?}", begun.elapsed());
    Ok(())
}

/// Runs one stage, and says how long it took or what to do.
fn stage(name: &str, advice: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    eprintln!("xtask: {name} ...");
    let begun = Instant::now();
    work().map_err(|error| anyhow!("{error:#}\n\n{name} failed: {advice}"))?;
    eprintln!("xtask: {name}: {:.1?}", begun.elapsed());
    Ok(())
}

fn dependencies(workspace: &Workspace) -> anyhow::Result<()> {
    floors::check(workspace)?;
    match setup::cargo_deny() {
        Some(deny) => call(command(deny).args(["check", "bans", "licenses", "sources"])),
        None => Ok(()),
    }
}

fn tests() -> anyhow::Result<()> {
    let has_nextest = succeeds(&mut cargo(&["nextest", "--version"]));
    let mut tests = match has_nextest {
        true => cargo(&["nextest", "run"]),
        false => cargo(&["test", "--all-targets", "--quiet"]),
    };
    tests.env("ROPEWALK_INTERPRETER", setup::interpreter_folder()).env("ROPEWALK_RUNSC", setup::runsc());
    call(tests.args(EVERYTHING))
}

/// Runs each example as it was built: `crates/*/examples/*`, and the packages in `examples/`.
fn examples(workspace: &Workspace) -> anyhow::Result<()> {
    for package in workspace.packages() {
        let examples = package.targets("example").map(|name| format!("examples/{name}"));
        let bins = package.targets("bin").filter(|_| package.is_in("examples")).map(str::to_owned);
        examples.chain(bins).try_for_each(|name| finishes(&name))?;
    }
    Ok(())
}

/// Runs an example to a zero exit, for [`EXAMPLE`] at most.
fn finishes(name: &str) -> anyhow::Result<()> {
    let mut program = command(built(name));
    program
        .env_remove("OPENAI_BASE_URL")
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut child = program.spawn().with_context(|| format!("`{name}` cannot be run"))?;
    let end = Instant::now() + EXAMPLE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "`{name}` ended with {status}");
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    child.kill()?;
    bail!("`{name}` did not end within {EXAMPLE:?}")
}

/// Proves that each lower crate builds without the rest of the workspace, whatever of it is turned off.
fn each_alone() -> anyhow::Result<()> {
    for package in floors::alone() {
        call(&mut cargo(&["check", "--quiet", "--package", package]))?;
        call(&mut cargo(&["check", "--quiet", "--package", package, "--no-default-features"]))?;
    }
    Ok(())
}

/// Holds the served document against the hosted API's, and the server against the document.
fn contract() -> anyhow::Result<()> {
    let theirs = root().join("../shared/contract/openapi-assistants-v2.json");
    if theirs.exists() {
        let mut compare = command(setup::contract_python());
        compare.args(["conformance/contract/compare.py", codegen::DOCUMENT]);
        call(compare.arg(&theirs).arg("docs/compatibility.md"))?;
    } else {
        eprintln!("xtask: the hosted API's description is not at {}: not compared", theirs.display());
    }
    let mut fuzz = command(setup::contract_python());
    call(fuzz.arg("conformance/contract/fuzz.py").env("ROPEWALK_BIN", built("ropewalk")))
}

fn bench() -> anyhow::Result<()> {
    let mut bench = command(built("ropewalk-bench"));
    bench.arg("--quick").arg("--ropewalk").arg(built("ropewalk"));
    bench
        .arg("--interpreter")
        .arg(setup::interpreter_folder())
        .arg("--ipykernel")
        .arg(setup::kernel_python());
    output(&mut bench).map(drop)
}

fn chaos() -> anyhow::Result<()> {
    call(command(built("ropewalk-chaos")).arg("--ropewalk").arg(built("ropewalk")))
}

/// A program of the stage `build`.
fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{EXE_SUFFIX}"))
}
