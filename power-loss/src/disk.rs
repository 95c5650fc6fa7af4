use std::collections::HashMap;

use rand::{Rng, RngExt};

use crate::recording::{Action, Step};

/// What is written at once or not at all.
const SECTOR: usize = 512;

/// Whether the disk does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// What it says is synced outlives the power.
    Kept,
    /// It only says so.
    Faked,
}

/// Files as they are known to be on the disk, and what else was asked of them.
///
/// Contents last from the file's last sync on. Names last as the Unix VFS of SQLite syncs their folder: with the first
/// sync of a new journal or log, and after a deletion that asks for it. Names are lost in the order of their changes,
/// as journalling file systems do it; contents in any order.
#[derive(Debug)]
pub(crate) struct Disk {
    syncs: Syncs,
    files: Vec<Content>,
    names: HashMap<String, usize>,
    lasting_names: HashMap<String, usize>,
    new_names: Vec<(String, Option<usize>)>,
}

#[derive(Debug, Default)]
struct Content {
    lasting: Vec<u8>,
    /// Writes and truncations, in order.
    since: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Disk {
    pub(crate) fn new(syncs: Syncs) -> Self {
        Self {
            syncs,
            files: Vec::new(),
            names: HashMap::new(),
            lasting_names: HashMap::new(),
            new_names: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, Step { file: name, action }: &Step) {
        let known = self.names.get(name).copied();
        match action {
            Action::Open { is_new } => {
                if known.is_none() {
                    let file = self.files.len();
                    self.files.push(Content::default());
                    self.names.insert(name.clone(), file);
                    match is_new {
                        true => self.new_names.push((name.clone(), Some(file))),
                        // The store makes its file, empty, and syncs the folder.
                        false => drop(self.lasting_names.insert(name.clone(), file)),
                    }
                }
            }
            Action::Write { offset, bytes } => self.change(known, Change::Write(*offset, bytes.clone())),
            Action::Truncate { bytes } => self.change(known, Change::Truncate(*bytes)),
            Action::Sync { names } => {
                if let Some(file) = known.filter(|_| self.syncs == Syncs::Kept) {
                    let Content { lasting, since } = &mut self.files[file];
                    since.drain(..).for_each(|change| change.apply(lasting));
                }
                if *names {
                    self.sync_names();
                }
            }
            Action::Delete { lasting } => {
                self.names.remove(name);
                self.new_names.push((name.clone(), None));
                if *lasting {
                    self.sync_names();
                }
            }
        }
    }

    /// What is asked of a file that was deleted is lost with it.
    fn change(&mut self, file: Option<usize>, change: Change) {
        if let Some(file) = file {
            self.files[file].since.push(change);
        }
    }

    fn sync_names(&mut self) {
        if self.syncs == Syncs::Kept {
            let all = self.new_names.len();
            self.keep_names(all);
        }
    }

    fn keep_names(&mut self, count: usize) {
        for (name, file) in self.new_names.drain(..count) {
            match file {
                Some(file) => self.lasting_names.insert(name, file),
                None => self.lasting_names.remove(&name),
            };
        }
    }

    /// The files that are there afterwards.
    pub(crate) fn lose_power(mut self, chance: &mut impl Rng) -> Vec<(String, Vec<u8>)> {
        let kept = chance.random_range(0..=self.new_names.len());
        self.keep_names(kept);
        let names: Vec<_> = self.lasting_names.drain().collect();
        let mut files: Vec<_> =
            names.into_iter().map(|(name, file)| (name, std::mem::take(&mut self.files[file]))).collect();
        files.sort_by(|(a, _), (b, _)| a.cmp(b)); // For one chance to choose the same each time.
        files.into_iter().map(|(name, content)| (name, content.lose_power(chance))).collect()
    }
}

impl Content {
    fn lose_power(self, chance: &mut impl Rng) -> Vec<u8> {
        let Self { mut lasting, since } = self;
        let count = since.len();
        let whole = match chance.random_range(0..4) {
            0 => 0,
            1 => count,
            _ => chance.random_range(0..=count),
        };
        // Half of the time, what comes behind the part that is whole is there in parts.
        let tears = chance.random_bool(0.5);
        for (n, change) in since.into_iter().enumerate() {
            match change {
                change if n < whole => change.apply(&mut lasting),
                Change::Write(offset, bytes) if tears && chance.random_bool(0.5) => {
                    for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                        if chance.random_bool(0.5) {
                            Change::Write(offset + sector * SECTOR, part.to_vec()).apply(&mut lasting);
                        }
                    }
                }
                change if tears && chance.random_bool(0.5) => change.apply(&mut lasting),
                _ => {}
            }
        }
        lasting
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[offset..end].copy_from_slice(&bytes);
            }
            Self::Truncate(bytes) => content.truncate(bytes),
        }
    }
}
