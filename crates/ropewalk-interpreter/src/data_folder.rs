use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fchown, fstat, mkdirat, openat2, unlinkat},
    io::Errno,
    process::{Gid, Uid, getuid},
};
use tokio::io::AsyncRead;
use tokio_util::io::SyncIoBridge;

use crate::{DataFile, Error, data_listing::list, data_path::DataPath, sandbox::blocking};

/// No link, no other mount, nothing outside of the folder.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The folder of a session's files, from outside. Cheap to clone, and there for as long as anybody holds it, though its session is
/// over.
///
/// Whatever lies in it was made by a stranger, who may change it at any time: names and contents are data.
#[derive(Debug, Clone)]
pub struct DataFolder {
    folder: Arc<OwnedFd>,
    uid: u32,
    largest: u64,
}

impl DataFolder {
    pub(crate) fn new(folder: OwnedFd, uid: u32, largest: u64) -> Self {
        Self { folder: Arc::new(folder), uid, largest }
    }

    /// Writes all of `content` to the file `path`, in place of what is there; gives its size in bytes. Makes the folders
    /// above it.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::Io`] if the folder is full or `content` cannot be read: nothing is left then.
    pub async fn put(
        &self,
        path: &str,
        content: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<u64, Error> {
        DataPath::new(path)?;
        let (this, path, mut content) = (self.clone(), path.to_owned(), SyncIoBridge::new(content));
        blocking(move || {
            let DataPath { folders, name } = DataPath::new(&path)?;
            let folder = this.folder_of(&folders).map_err(failed)?;
            // What is there may be a link or a pipe: it goes, and something new comes.
            match unlinkat(&folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
            let file = openat2(&folder, name, new, mode, BENEATH).map_err(failed)?;
            let mut file = File::from(file);
            let written = io::copy(&mut content, &mut file).map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => Error::Full,
                _ => Error::io("a file of the session")(error),
            });
            let owned = written.and_then(|written| this.give(&file).map(|()| written).map_err(failed));
            owned.inspect_err(|_| {
                // Half a file is worse than none; where it cannot even be removed, the session is past help.
                let _removed = unlinkat(&folder, name, AtFlags::empty());
            })
        })
        .await
    }

    /// Opens the file `path` for reading, with its size in bytes as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::File`] if it is no regular file, has other names, or is too large; [`Error::Io`].
    pub async fn open(&self, path: &str) -> Result<(tokio::fs::File, u64), Error> {
        DataPath::new(path)?;
        let (this, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let refused = |why| Error::File { name: path.clone(), why };
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let file = openat2(&*this.folder, &*path, flags, Mode::empty(), BENEATH);
            let file = file.map_err(|errno| match errno {
                Errno::LOOP => refused("it is a link"),
                Errno::NOENT | Errno::NOTDIR => refused("it is not there"),
                errno => failed(errno),
            })?;
            let about = fstat(&file).map_err(failed)?;
            let size = u64::try_from(about.st_size).unwrap_or_default();
            if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
                return Err(refused("it is no regular file"));
            }
            if about.st_nlink != 1 {
                return Err(refused("it has more than one name"));
            }
            if size > this.largest {
                return Err(refused("it is too large"));
            }
            Ok((tokio::fs::File::from_std(File::from(file)), size))
        })
        .await
    }

    /// The regular files in it, by path, 2,000 at most: without links and those of more than one name, without hidden
    /// folders, names that are no plain text, and what lies more than eight folders deep.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn files(&self) -> Result<Vec<DataFile>, Error> {
        let folder = self.folder.clone();
        blocking(move || list(folder.as_fd()).map_err(failed)).await
    }

    /// The innermost of `folders`, made where it is missing.
    fn folder_of(&self, folders: &[&str]) -> Result<OwnedFd, Errno> {
        let mut folder = open_folder(self.folder.as_fd(), ".")?;
        for name in folders {
            match mkdirat(&folder, *name, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH) {
                Ok(()) => {
                    folder = open_folder(folder.as_fd(), name)?;
                    self.give(&folder)?;
                }
                Err(Errno::EXIST) => folder = open_folder(folder.as_fd(), name)?,
                Err(errno) => return Err(errno),
            }
        }
        Ok(folder)
    }

    /// Makes the session's user the owner of something new.
    fn give(&self, file: impl AsFd) -> Result<(), Errno> {
        match getuid().is_root() {
            true => fchown(file, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.uid))),
            false => Ok(()),
        }
    }
}

/// A folder in another one, and not what a link leads to.
pub(crate) fn open_folder(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    openat2(folder, name, FOLDER, Mode::empty(), BENEATH)
}

fn failed(errno: Errno) -> Error {
    match errno {
        Errno::NOSPC | Errno::DQUOT => Error::Full,
        errno => Error::errno("a file of the session")(errno),
    }
}
