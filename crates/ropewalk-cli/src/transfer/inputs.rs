use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Folders in folders that are looked into.
const MAX_DEPTH: usize = 8;
/// Bytes of a file that show whether it holds objects.
const SNIFFED: u64 = 64 * 1024;

/// A file with objects, one a line.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// Folders in which bytes of its files may lie: its own, and the one that was named.
    pub(super) homes: Vec<PathBuf>,
}

/// What is to be read.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// Ordered by path, so that a second run reads in the same order.
    pub(super) found: Vec<Input>,
    /// JSON in the folders that is not of the form, unless it turns out to be the bytes of a file.
    pub(super) unread: BTreeSet<PathBuf>,
}

impl Inputs {
    /// Looks into the folders among `named`; other files are taken whatever they are called.
    pub(super) fn find(named: &[PathBuf]) -> anyhow::Result<Self> {
        let mut inputs = Self::default();
        for path in named {
            let metadata =
                fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
            if metadata.is_dir() {
                inputs.look(path, path, 0).with_context(|| format!("in {}", path.display()))?;
            } else {
                inputs.add(path.clone(), path.parent().unwrap_or(Path::new("")));
            }
        }
        Ok(inputs)
    }

    fn look(&mut self, folder: &Path, root: &Path, depth: usize) -> io::Result<()> {
        let mut names: Vec<_> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        names.sort();
        for path in names {
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                if depth < MAX_DEPTH && !path.ends_with("files") {
                    self.look(&path, root, depth + 1)?;
                }
            } else if has_objects(&path)? {
                self.add(path, root);
            } else if path.extension().is_some_and(|end| end == "json" || end == "jsonl") {
                self.unread.insert(path);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, root: &Path) {
        let own = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut homes = vec![own];
        if homes[0] != root {
            homes.push(root.to_owned());
        }
        self.found.push(Input { path, homes });
    }
}

/// Whether a file says by its name or its first line that it holds objects.
fn has_objects(path: &Path) -> io::Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    if path.extension().is_some_and(|end| end == "ndjson") {
        return Ok(true);
    }
    let mut start = Vec::new();
    fs::File::open(path)?.take(SNIFFED).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.starts_with(b"{") && line.windows(8).any(|part| part == b"\"object\""))
}
