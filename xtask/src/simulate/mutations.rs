//! Bugs that are planted in a copy of the sources, one at a time: a simulation that does not find them proves nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, bail, ensure};

use crate::process::{cargo, command, output, root, target};

/// A bug, as a replacement of text in a source file.
struct Mutation {
    /// What it does.
    name: &'static str,
    /// The file, below `crates/`.
    file: &'static str,
    /// What is there, once.
    find: &'static str,
    /// What is there instead.
    replace: &'static str,
}

/// Worlds within which each must be found.
const SEEDS: u64 = 3_000;

const MUTATIONS: [Mutation; 20] = [
    Mutation {
        name: "goes on with a run that was taken over",
        file: "ropewalk-runs/src/execution.rs",
        find: "if document.fence != self.live.fence() {",
        replace: "if document.fence < self.live.fence() {",
    },
    Mutation {
        name: "tells before it commits",
        file: "ropewalk-runs/src/execution.rs",
        find: "if effects.has_changes() {\n            self.commit(",
        replace: "if effects.has_changes() {\n            self.log.tell(&std::mem::take(&mut effects.events));\n            self.commit(",
    },
    Mutation {
        name: "ignores a cancel that it meets as it commits",
        file: "ropewalk-runs/src/execution.rs",
        find: "if self.look_again().await?.is_some() {",
        replace: "if self.look_again().await?.is_some() && self.versions.run == 0 {",
    },
    Mutation {
        name: "announces each commit as a new status",
        file: "ropewalk-runs/src/execution.rs",
        find: "match run.status == self.stored_status {",
        replace: "match run.status == RunStatus::Queued {",
    },
    Mutation {
        name: "leaves the line, and its counter stays",
        file: "ropewalk-runs/src/execution.rs",
        find: "Some(place) => line::leave(batch, &run.thread_id, &place),",
        replace: "Some(_) => batch,",
    },
    Mutation {
        name: "does not count for the thread what a call used",
        file: "ropewalk-runs/src/execution.rs",
        find: "            self.count(effects, batch)\n",
        replace: "            batch\n",
    },
    Mutation {
        name: "tells that a message is over before that is synced",
        file: "ropewalk-runs/src/execution.rs",
        find: "let over = effects.changes.iter().any(Change::is_over);",
        replace: "let over = effects.changes.is_empty();",
    },
    Mutation {
        name: "keeps told deltas out of the journal",
        file: "ropewalk-runs/src/event_log.rs",
        find: "&[&inner.frames[inner.stored..], &draft.bytes]",
        replace: "&[&draft.bytes]",
    },
    Mutation {
        name: "leaves out what a reader missed who comes back",
        file: "ropewalk-runs/src/event_log.rs",
        find: "journal::behind(&inner.frames, after)",
        replace: "inner.frames.len().min(after as usize * 1000)",
    },
    Mutation {
        name: "leaves a run to its first driver for ever",
        file: "ropewalk-runs/src/engine.rs",
        find: "            _ => Some(self.lease_end()),",
        replace: "            _ => None,",
    },
    Mutation {
        name: "forgets a delta now and then",
        file: "ropewalk-runs/src/machine/turn.rs",
        find: "        let part = ContentDelta::Text {",
        replace: "        if text.ends_with(\".1 \") {\n            return;\n        }\n        let part = ContentDelta::Text {",
    },
    Mutation {
        name: "asks a tool again that has answered",
        file: "ropewalk-runs/src/machine/server_calls.rs",
        find: "self.state.answering && call.output.is_none()",
        replace: "self.state.answering",
    },
    Mutation {
        name: "takes outputs twice, if they come late",
        file: "ropewalk-runs/src/machine/late_outputs.rs",
        find: "                && function.output.is_none()\n",
        replace: "",
    },
    Mutation {
        name: "acknowledges a cancel that is not synced",
        file: "ropewalk-runs/src/engine.rs",
        find: "let mut batch = Batch::new().put(put);",
        replace: "let mut batch = Batch::new().put(put).durability(ropewalk_store::Durability::Written);",
    },
    Mutation {
        name: "waits for outputs without a deadline",
        file: "ropewalk-runs/src/engine.rs",
        find: "RunStatus::RequiresAction => run.expires_at.map(|at| at.0.saturating_mul(1000)),",
        replace: "RunStatus::RequiresAction => None,",
    },
    Mutation {
        name: "loses what a call used",
        file: "ropewalk-runs/src/machine.rs",
        find: "        self.state.usage += usage;\n",
        replace: "",
    },
    Mutation {
        name: "leaves the message open that a dead process was writing",
        file: "ropewalk-runs/src/machine.rs",
        find: "self.close_message(Some(ropewalk_types::IncompleteReason::RunFailed), context, effects);",
        replace: "",
    },
    Mutation {
        name: "lets go of the thread while it waits for outputs",
        file: "ropewalk-runs/src/record.rs",
        find: "let locks = !run.status.is_terminal()",
        replace: "let locks = run.status != RunStatus::RequiresAction && !run.status.is_terminal()",
    },
    Mutation {
        name: "does not renew its leases",
        file: "ropewalk-runs/src/worker.rs",
        find: "done = self.renew_leases().await;",
        replace: "done = Ok(());",
    },
    Mutation {
        name: "gives numbers of lost events to others",
        file: "ropewalk-runs/src/worker.rs",
        find: "stored + MOST_UNSTORED",
        replace: "stored",
    },
];

/// Proves that the rules hold in as many worlds, and that the simulation finds each bug that is planted in a copy of the
/// sources.
pub(crate) fn check() -> anyhow::Result<()> {
    let copy = Copy::make()?;
    copy.build().context("the sources as they are")?;
    if let Some(rule) = copy.finds_a_bug()? {
        bail!("nothing is planted, and yet: {rule}");
    }
    let mut missed = Vec::new();
    for mutation in &MUTATIONS {
        let begun = Instant::now();
        let file = copy.folder.join("crates").join(mutation.file);
        let sound =
            fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let places = sound.matches(mutation.find).count();
        ensure!(
            places == 1,
            "to plant `{}`, this text must be once in crates/{}, and is {places} times: {}\nadapt it in {}",
            mutation.name,
            mutation.file,
            mutation.find,
            file!(),
        );
        fs::write(&file, sound.replace(mutation.find, mutation.replace))?;
        let built = copy.build().with_context(|| format!("with the bug `{}`", mutation.name));
        let found = built.and_then(|()| copy.finds_a_bug());
        fs::write(&file, sound)?;
        match found? {
            Some(rule) => eprintln!("xtask: {}: found in {:.0?}: {rule}", mutation.name, begun.elapsed()),
            None => missed.push(mutation.name),
        }
    }
    ensure!(missed.is_empty(), "{SEEDS} worlds do not find what {missed:?} does");
    Ok(())
}

/// A copy of all that the simulation is built of, and where it is built.
struct Copy {
    folder: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make() -> anyhow::Result<Self> {
        let all = target().join("mutations");
        let copy = Self { folder: all.join("tree"), target: all.join("target") };
        for part in ["crates", "simulation"] {
            mirror(&root().join(part), &copy.folder.join(part))?;
        }
        write(&copy.folder.join("Cargo.lock"), &fs::read(root().join("Cargo.lock"))?)?;
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        let is_member = |line: &&str| line.starts_with("members =") || line.starts_with("default-members =");
        let rest: Vec<&str> = manifest.lines().filter(|line| !is_member(line)).collect();
        let manifest = rest.join("\n").replace("[workspace]\n", "[workspace]\nmembers = [\"simulation\"]\n");
        write(&copy.folder.join("Cargo.toml"), manifest.as_bytes())?;
        Ok(copy)
    }

    fn build(&self) -> anyhow::Result<()> {
        let mut build = cargo(&["build", "--quiet", "--package", "ropewalk-simulation"]);
        build.args(["--config", "profile.dev.debug=false"]);
        build.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        output(&mut build).map(drop)
    }

    /// The rule that is broken first.
    fn finds_a_bug(&self) -> anyhow::Result<Option<String>> {
        let mut simulate = command(self.target.join("debug/ropewalk-simulate"));
        simulate.args(["--seeds", &SEEDS.to_string()]).stdin(Stdio::null());
        let done = simulate.output()?;
        let text = String::from_utf8_lossy(&done.stdout);
        if done.status.success() {
            return Ok(None);
        }
        match text.lines().find(|line| line.contains("breaks a rule: ")) {
            Some(rule) => Ok(Some(rule.chars().take(160).collect())),
            None => {
                bail!("the simulation ended with {}:\n{}", done.status, String::from_utf8_lossy(&done.stderr))
            }
        }
    }
}

/// Makes `to` like `from`, and leaves alone what is like it: what is not touched is not built again.
fn mirror(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let names = |folder: &Path| -> io::Result<Vec<_>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    };
    let wanted = names(from)?;
    for name in names(to)?.iter().filter(|name| !wanted.contains(name)) {
        let old = to.join(name);
        if old.is_dir() { fs::remove_dir_all(old)? } else { fs::remove_file(old)? }
    }
    for name in &wanted {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_dir() { mirror(&from, &to)? } else { write(&to, &fs::read(&from)?)? }
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|old| old == bytes) { Ok(()) } else { fs::write(file, bytes) }
}
