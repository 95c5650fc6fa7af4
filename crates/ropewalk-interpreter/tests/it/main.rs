//! Sessions on this host, with the environment in the folder that `ROPEWALK_INTERPRETER` names, or Debian's Python.

#![cfg(target_os = "linux")]

mod attacks;
mod cells;
mod files;
mod layers;
mod leaks;
#[cfg(feature = "testing")]
mod pool;
mod runsc;
mod time;

use ropewalk_interpreter::{CellEnd, Error, Layer, Limits, Output, Sandbox, SandboxOptions, Session};

fn options() -> SandboxOptions {
    match std::env::var_os("ROPEWALK_INTERPRETER") {
        // Without its packages, which take seconds to import: few tests need them.
        Some(folder) => SandboxOptions::new(std::path::Path::new(&folder).join("bin/python")),
        None => SandboxOptions::new("/usr/bin/python3"),
    }
}

async fn sandbox() -> Sandbox {
    started(options()).await
}

async fn started(options: SandboxOptions) -> Sandbox {
    match Sandbox::start(options).await {
        Err(Error::Layer { layer, why }) => lacks(layer, &why),
        started => started.expect("Python is there"),
    }
}

/// Skips the test, which is a process of its own under nextest, and says why. In CI nothing is skipped.
fn lacks(layer: Layer, why: &str) -> ! {
    let told = format!("this host lacks the layer `{layer}`: {why}; {}", layer.remedy());
    assert!(std::env::var_os("CI").is_none() && std::env::var_os("NEXTEST").is_some(), "{told}");
    eprintln!("SKIPPED: {told}");
    std::process::exit(0)
}

async fn sandbox_with(change: impl FnOnce(&mut Limits)) -> Sandbox {
    let mut options = options();
    change(&mut options.limits);
    started(options).await
}

/// All that a cell printed, and how it ended.
async fn run(session: &mut Session, code: &str) -> (String, CellEnd) {
    let (outputs, end) = session.run(code).finish().await;
    let text = |output| match output {
        Output::Text(text) => text,
        other => format!("{other:?}"),
    };
    (outputs.into_iter().map(text).collect(), end)
}

/// What a cell prints that runs to its end.
async fn printed(session: &mut Session, code: &str) -> String {
    let (text, end) = run(session, code).await;
    assert_eq!(end, CellEnd::Completed, "{code}\n{text}");
    text
}
