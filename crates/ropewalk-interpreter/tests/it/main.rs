//! Sessions on this host, with the interpreter that `ROPEWALK_PYTHON` names, or Debian's.

#![cfg(target_os = "linux")]

mod attacks;
mod cells;
mod files;
mod layers;
mod time;

use ropewalk_interpreter::{CellEnd, Limits, Output, Sandbox, SandboxOptions, Session};

fn options() -> SandboxOptions {
    SandboxOptions::new(std::env::var("ROPEWALK_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".into()))
}

async fn sandbox() -> Sandbox {
    Sandbox::start(options()).await.expect("Python is there")
}

async fn sandbox_with(change: impl FnOnce(&mut Limits)) -> Sandbox {
    let mut options = options();
    change(&mut options.limits);
    Sandbox::start(options).await.expect("Python is there")
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
