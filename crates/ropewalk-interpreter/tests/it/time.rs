use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ropewalk_interpreter::CellEnd;

use super::{printed, run, sandbox, sandbox_with};

#[tokio::test]
async fn a_cell_that_takes_too_long_is_interrupted_and_variables_stay() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, "kept = 'here'").await;
    for code in [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import subprocess\nsubprocess.run(['sleep', '1000'])",
    ] {
        let cell = session.run(code).within(Duration::from_millis(200));
        assert_eq!(cell.end().await, CellEnd::TimedOut, "{code}");
        assert_eq!(printed(&mut session, "kept").await, "'here'\n");
    }
}

#[tokio::test]
async fn a_cell_that_does_not_stop_is_ended_with_its_session_and_a_neighbour_goes_on() {
    let sandbox = sandbox_with(|limits| limits.grace = Duration::from_millis(300)).await;
    let mut neighbour = sandbox.session().await.expect("a session");
    for code in [
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')",
    ] {
        let mut session = sandbox.session().await.expect("a session");
        let end = session.run(code).within(Duration::from_millis(200)).end().await;
        assert!(matches!(end, CellEnd::Lost { .. } | CellEnd::TimedOut), "{code}: {end:?}");
        assert_eq!(printed(&mut neighbour, "1").await, "1\n");
        if matches!(end, CellEnd::Lost { .. }) {
            assert!(!session.is_alive(), "nobody else may be given it");
            let (_, next) = run(&mut session, "1").await;
            assert!(matches!(next, CellEnd::Lost { .. }), "it says so again: {next:?}");
        }
    }
}

#[tokio::test]
async fn a_child_that_holds_the_pipes_does_not_hold_the_cell() {
    let mut session = sandbox().await.session().await.expect("a session");
    let begun = Instant::now();
    let code = "import subprocess\nchild = subprocess.Popen(['sleep', '1000'])\nprint('on')";
    assert_eq!(printed(&mut session, code).await, "on\n");
    assert!(begun.elapsed() < Duration::from_secs(30), "it did not wait for the child");
}

#[tokio::test]
async fn a_cell_that_is_dropped_is_interrupted() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, "kept = 1").await;
    let mut cell = session.run("print('begun')\nwhile True: pass");
    assert!(cell.next().await.is_some());
    drop(cell);
    assert_eq!(printed(&mut session, "kept").await, "1\n");
}

#[tokio::test]
async fn an_interruption_in_the_middle_of_an_image_loses_nothing() {
    let mut session = sandbox().await.session().await.expect("a session");
    // Stands for an image of Pillow, and is more than the socket holds.
    let image = "class Image:\n    __module__ = 'PIL.Image'\n    def _repr_png_(self):\n        return bytes(4 << 20)\nkept = 1";
    printed(&mut session, image).await;
    for _ in 0..5 {
        let mut cell = session.run("print('begun')\nImage()");
        assert!(cell.next().await.is_some());
        drop(cell);
        assert_eq!(printed(&mut session, "kept").await, "1\n");
    }
}

#[tokio::test]
async fn what_a_cell_leaves_running_gets_little_time_until_the_next_one() {
    let mut session = sandbox().await.session().await.expect("a session");
    let Some(before) = computing_time() else {
        eprintln!("SKIPPED: this host has no control groups for computing time");
        return;
    };
    let code =
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        while True: pass\nprint('begun')";
    let mut cell = session.run(code);
    assert!(cell.next().await.is_some());
    assert_eq!(computing_time(), Some(before), "a cell has all of it");
    assert_eq!(cell.end().await, CellEnd::Completed);
    let resting = computing_time().expect("it is there still");
    assert!(resting * 10 <= before, "{resting} of {before}");
    let mut cell = session.run("print('next')\nimport time\ntime.sleep(1000)");
    assert!(cell.next().await.is_some());
    assert_eq!(computing_time(), Some(before));
    drop(cell);
    assert_eq!(computing_time(), Some(resting));
    assert_eq!(printed(&mut session, "1").await, "1\n");
    session.end().await;
}

/// Of the only session here: microseconds of each period.
fn computing_time() -> Option<u64> {
    let folders = super::leaks::groups(Path::new("/sys/fs/cgroup"), &format!("{}-", std::process::id()), 5);
    let read = |folder: &PathBuf| {
        let first = fs::read_to_string(folder.join("cpu.cfs_quota_us"));
        first.or_else(|_| fs::read_to_string(folder.join("cpu.max"))).ok()
    };
    folders.iter().find_map(read)?.split_whitespace().next()?.parse().ok()
}
