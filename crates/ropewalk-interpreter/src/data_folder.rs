use std::{
    fs::File,
    io::ErrorKind,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fchown, fstat, mkdirat, openat2, unlinkat},
    io::Errno,
    process::{Gid, Uid, getuid},
};
use tokio::io::{self, AsyncRead, AsyncWriteExt, BufReader};

use crate::{DataFile, Error, data_listing::list, data_path::DataPath, sandbox::blocking};

/// No link, no other mount, nothing outside of the folder.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// Bytes that are copied at once.
const PIECE: usize = 256 * 1024;
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
    /// [`Error::Name`]; [`Error::Full`]; [`Error::Io`] if `content` cannot be read. Nothing is left then, nor if the future is
    /// dropped before its end.
    pub async fn put(
        &self,
        path: &str,
        content: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<u64, Error> {
        DataPath::new(path)?;
        let (this, path) = (self.clone(), path.to_owned());
        let (half, file) = blocking(move || this.create(&path)).await?;
        let mut file = tokio::fs::File::from_std(file);
        let mut content = BufReader::with_capacity(PIECE, content);
        let written = async {
            let written = io::copy_buf(&mut content, &mut file).await?;
            file.flush().await.map(|()| written)
        };
        let written = written.await.map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::io("a file of the session")(error),
        })?;
        half.done();
        Ok(written)
    }

    /// A new file, in place of what is there.
    fn create(&self, path: &str) -> Result<(Half, File), Error> {
        let DataPath { folders, name } = DataPath::new(path)?;
        let folder = self.folder_of(&folders).map_err(failed)?;
        // What is there may be a link or a pipe: it goes, and something new comes.
        match unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let file = openat2(&folder, name, new, mode, BENEATH).map_err(failed)?;
        let half = Half { place: Some((folder, name.to_owned())) };
        self.give(&file).map_err(failed)?;
        Ok((half, File::from(file)))
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

/// A file that is not whole yet, and goes if it never is: half a file is worse than none.
struct Half {
    place: Option<(OwnedFd, String)>,
}

impl Half {
    fn done(mut self) {
        self.place = None;
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        if let Some((folder, name)) = &self.place {
            // Where it cannot even be removed, the session is past help.
            let _removed = unlinkat(folder, &**name, AtFlags::empty());
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
