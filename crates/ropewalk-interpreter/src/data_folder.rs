use std::{fs::File, io, os::fd::OwnedFd, sync::Arc};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fchown, fstat, openat2, unlinkat},
    io::Errno,
    process::{Gid, Uid, getuid},
};

use crate::{Error, sandbox::blocking};

/// No link, no other mount, nothing outside of the folder.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The folder of a session's files, from outside. Cheap to clone.
///
/// Whatever lies in it was made by a stranger, who may change it at any time: names and contents are data.
#[derive(Debug, Clone)]
pub struct DataFolder {
    folder: Arc<OwnedFd>,
    uid: u32,
    largest: u64,
}

/// A plain file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    fn new(name: &str) -> Result<Self, Error> {
        let is_plain = !name.is_empty()
            && name.len() <= 255
            && !matches!(name, "." | "..")
            && !name.chars().any(|character| character == '/' || character.is_control());
        is_plain.then(|| Self(name.to_owned())).ok_or_else(|| Error::Name(name.to_owned()))
    }
}

impl DataFolder {
    pub(crate) fn new(folder: OwnedFd, uid: u32, largest: u64) -> Self {
        Self { folder: Arc::new(folder), uid, largest }
    }

    /// Writes all of `content` to the file `name`, in place of what is there under that name; gives its size in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::Io`] if the folder is full or `content` cannot be read: nothing is left then.
    pub async fn put(&self, name: &str, mut content: impl io::Read + Send + 'static) -> Result<u64, Error> {
        let (this, name) = (self.clone(), Name::new(name)?);
        blocking(move || {
            let folder = &*this.folder;
            // What is there may be a link or a pipe: it goes, and something new comes.
            match unlinkat(folder, &name.0, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(Error::errno("a file of the session")(errno)),
            }
            let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
            let file = openat2(folder, &name.0, new, mode, BENEATH)
                .map_err(Error::errno("a file of the session"))?;
            let mut file = File::from(file);
            let written = io::copy(&mut content, &mut file).map_err(Error::io("a file of the session"));
            let owned = written.and_then(|written| {
                if getuid().is_root() {
                    fchown(&file, Some(Uid::from_raw(this.uid)), Some(Gid::from_raw(this.uid)))
                        .map_err(Error::errno("a file of the session"))?;
                }
                Ok(written)
            });
            owned.inspect_err(|_| {
                // Half a file is worse than none; where it cannot even be removed, the session is past help.
                let _removed = unlinkat(folder, &name.0, AtFlags::empty());
            })
        })
        .await
    }

    /// Opens the file `name` for reading, with its size in bytes as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Name`]; [`Error::File`] if it is no regular file, has other names, or is too large; [`Error::Io`].
    pub async fn open(&self, name: &str) -> Result<(File, u64), Error> {
        let (this, name) = (self.clone(), Name::new(name)?);
        blocking(move || {
            let refused = |why| Error::File { name: name.0.clone(), why };
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let file =
                openat2(&*this.folder, &name.0, flags, Mode::empty(), BENEATH).map_err(
                    |errno| match errno {
                        Errno::LOOP => refused("it is a link"),
                        Errno::NOENT => refused("it is not there"),
                        _ => Error::errno("a file of the session")(errno),
                    },
                )?;
            let about = fstat(&file).map_err(Error::errno("a file of the session"))?;
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
            Ok((File::from(file), size))
        })
        .await
    }
}
