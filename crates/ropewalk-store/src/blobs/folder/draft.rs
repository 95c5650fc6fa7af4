use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use ropewalk_types::IdSource;

use crate::{
    BlobInfo, TimeOrderedIds,
    blobs::hex,
    disk::{private_file, private_folder, sync_folder},
};

/// Bytes of a part that are in memory at a time.
const BUFFER: usize = 256 * 1024;

/// A file without its name. It is gone when it is dropped, and if the process ends first, at the next [`sweep`].
pub(super) struct Draft {
    path: PathBuf,
    /// Locked, so that a sweep of another process leaves it alone.
    file: File,
    bytes: u64,
    md5: Md5,
}

impl Draft {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(TimeOrderedIds.body());
        let file = private_file().create_new(true).open(&path)?;
        let draft = Self::at(path, file);
        draft.file.lock()?;
        Ok(draft)
    }

    pub(super) fn at(path: PathBuf, file: File) -> Self {
        Self { path, file, bytes: 0, md5: Md5::new() }
    }

    /// A second name for the file at `path`, opened as `file`, which nobody writes again; where there can be none,
    /// a copy.
    pub(super) fn link(folder: &Path, path: &Path, file: File) -> io::Result<Self> {
        let (name, reader) = (folder.join(TimeOrderedIds.body()), file.try_clone()?);
        if fs::hard_link(path, &name).is_err() {
            let mut copy = Self::create(folder)?;
            copy.append(&file)?;
            return Ok(copy);
        }
        let mut link = Self::at(name, file);
        drop(link.file.try_lock()); // Another link that has it keeps a sweep away just as well.
        each_buffer(&reader, |bytes| {
            link.count(bytes);
            Ok(())
        })?;
        Ok(link)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.count(bytes);
        Ok(())
    }

    /// Writes all of `part`.
    pub(super) fn append(&mut self, part: &File) -> io::Result<()> {
        each_buffer(part, |bytes| self.write(bytes))
    }

    fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.md5.update(bytes);
    }

    /// Gives the file its name in `<folder of the organisation>/<two digits>`, both made where they are missing.
    pub(super) fn keep(self, path: &Path) -> io::Result<BlobInfo> {
        self.file.sync_all()?;
        if let Some(folder) = path.parent() {
            private_folder().create(folder)?;
        }
        fs::rename(&self.path, path)?;
        // Those above, too: whoever made them may not have come so far yet.
        path.ancestors().skip(1).take(3).try_for_each(sync_folder)?;
        Ok(BlobInfo::new(self.bytes, hex(&self.md5.clone().finalize())))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It may be there after `keep`, too: a rename to another name of the same file does nothing.
        drop(fs::remove_file(&self.path));
    }
}

/// Removes the drafts that nobody writes any more.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let removed = File::open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => fs::remove_file(&path),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // Finished or swept meanwhile.
            removed => removed?,
        }
    }
    Ok(())
}

fn each_buffer(mut file: &File, mut work: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(bytes) => work(&buffer[..bytes])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_a_crash_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut alive = Draft::create(folder.path()).unwrap();
        fs::write(folder.path().join("left"), "by a crash").unwrap();
        sweep(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [alive.path.clone()]);
        alive.write(b"rope").unwrap();
        let path = folder.path().join("org/aa/blob");
        assert_eq!(alive.keep(&path).unwrap().bytes, 4);
        assert_eq!(fs::read(path).unwrap(), b"rope");
    }

    #[test]
    fn a_link_of_a_file_over_itself_leaves_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        fs::write(&path, "rope").unwrap();
        let link = Draft::link(folder.path(), &path, File::open(&path).unwrap()).unwrap();
        assert_eq!(link.keep(&path).unwrap(), BlobInfo::new(4, "379e86ff8a80f711680f9fb5d4b9560e"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
