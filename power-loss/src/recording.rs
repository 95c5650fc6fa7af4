use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use rand::Rng;

use crate::{
    disk::{Disk, Syncs},
    vfs,
};

/// The folders that are watched.
static RECORDINGS: Mutex<Vec<Weak<Recording>>> = Mutex::new(Vec::new());

/// All that SQLite asked of one folder, in order.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    steps: Mutex<Vec<Step>>,
}

/// Something asked of a file.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) file: String,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    /// `is_new` if it was not there.
    Open {
        is_new: bool,
    },
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        bytes: usize,
    },
    /// All that was asked of the file is to last; with `names`, the names in its folder, too.
    Sync {
        names: bool,
    },
    /// With `lasting`, the names in the folder are synced right after.
    Delete {
        lasting: bool,
    },
}

impl Recording {
    /// Watches what SQLite does in `folder`, which must be there, as long as the recording is kept.
    ///
    /// # Errors
    ///
    /// If the folder is not there.
    pub fn start(folder: &Path) -> io::Result<Arc<Self>> {
        vfs::install();
        let recording = Arc::new(Self { folder: fs::canonicalize(folder)?, steps: Mutex::default() });
        let mut all = RECORDINGS.lock();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&recording));
        Ok(recording)
    }

    /// The recording of the folder that this file is in, and the file's name.
    pub(crate) fn of(path: &Path) -> Option<(Arc<Self>, String)> {
        let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
        let all = RECORDINGS.lock();
        let recording = all.iter().filter_map(Weak::upgrade).find(|recording| recording.folder == folder)?;
        Some((recording, name.to_owned()))
    }

    /// Does something and records it, with nothing recorded in between.
    pub(crate) fn record<T>(&self, file: &str, act: impl FnOnce() -> (T, Option<Action>)) -> T {
        let mut steps = self.steps.lock();
        let (done, action) = act();
        steps.extend(action.map(|action| Step { file: file.to_owned(), action }));
        done
    }

    /// Steps recorded so far.
    pub fn steps(&self) -> usize {
        self.steps.lock().len()
    }

    /// Fills the folder `into` as the power may leave it after the first `steps`; chance chooses what is left of what
    /// was not synced.
    ///
    /// # Errors
    ///
    /// If `into` cannot be written.
    pub fn cut(&self, steps: usize, syncs: Syncs, chance: &mut impl Rng, into: &Path) -> io::Result<()> {
        let mut disk = Disk::new(syncs);
        self.steps.lock().iter().take(steps).for_each(|step| disk.take(step));
        let files = disk.lose_power(chance);
        files.into_iter().try_for_each(|(name, bytes)| fs::write(into.join(name), bytes))
    }
}
