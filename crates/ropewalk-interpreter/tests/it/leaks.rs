//! Nothing is left of sessions that are over.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use ropewalk_interpreter::Sandbox;

use super::{printed, sandbox};

/// What this process holds of the system's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Numbers of all processes below it, but for those that live as long as it does.
    pub(super) processes: BTreeSet<u32>,
    descriptors: usize,
    mounts: usize,
    pub(super) groups: Vec<PathBuf>,
}

impl Held {
    fn now() -> Self {
        let ours = format!("{}-", process::id());
        Self {
            processes: descendants(),
            descriptors: fs::read_dir("/proc/self/fd").into_iter().flatten().count(),
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().count(),
            groups: groups(Path::new("/sys/fs/cgroup"), &ours, 5),
        }
    }

    /// As it is once `are_gone` holds: what was killed needs a moment.
    pub(super) async fn once(are_gone: impl Fn(&Self) -> bool) -> Self {
        for _ in 0..500 {
            let now = Self::now();
            if are_gone(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self::now()
    }
}

fn descendants() -> BTreeSet<u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = numbers
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut below = BTreeSet::from([process::id()]);
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| below.contains(parent) && !below.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return below;
        }
        below.extend(more);
    }
}

/// The control groups whose names begin with `ours`.
/// Paths of the control groups whose names begin so.
pub(super) fn groups(folder: &Path, ours: &str, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(ours) {
                found.push(entry.path());
            } else if depth > 0 {
                found.extend(groups(&entry.path(), ours, depth - 1));
            }
        }
    }
    found
}

async fn one(sandbox: &Sandbox, number: usize) {
    let mut session = sandbox.session().await.expect("a session");
    let code = format!(
        "import os\nif os.fork() == 0:\n    while True: pass\nopen('x', 'w').write('x'); print({number})"
    );
    assert_eq!(printed(&mut session, &code).await, format!("{number}\n"));
    // One way or the other.
    match number % 2 {
        0 => session.end().await,
        _ => drop(session),
    }
}

#[tokio::test]
async fn a_thousand_sessions_leave_nothing() {
    let sandbox = sandbox().await;
    one(&sandbox, 0).await;
    let before = Held::once(|held| held.groups.is_empty()).await;
    stream::iter(1..1000).for_each_concurrent(2, |number| one(&sandbox, number)).await;
    assert_eq!(Held::once(|held| *held == before).await, before);
}

#[tokio::test]
async fn a_hundred_sessions_at_once_leave_nothing() {
    let sandbox = sandbox().await;
    one(&sandbox, 0).await;
    let before = Held::once(|held| held.groups.is_empty()).await;
    let sessions = stream::iter(0..100).map(|_| sandbox.session()).buffer_unordered(4);
    let mut sessions: Vec<_> = sessions.map(|session| session.expect("a session")).collect().await;
    let answers = join_all(sessions.iter_mut().map(|session| printed(session, "6 * 7"))).await;
    assert!(answers.iter().all(|answer| answer == "42\n"));
    drop(sessions);
    assert_eq!(Held::once(|held| *held == before).await, before);
}
