//! What lies in a session's folder, read through descriptors: a name that changes meanwhile leads nowhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{AtFlags, Dir, FileType, Stat, statat},
    io::Errno,
};

use crate::{
    DataFile,
    data_folder::open_folder,
    data_path::{DEEPEST, is_plain},
};

/// Files that are told of, and entries that are looked at for them.
const MOST_FILES: usize = 2_000;
const MOST_ENTRIES: usize = 25_000;

/// The regular files below `folder`, by path.
pub(crate) fn list(folder: BorrowedFd<'_>) -> Result<Vec<DataFile>, Errno> {
    let mut listing = Listing { files: Vec::new(), looked_at: 0 };
    listing.walk(open_folder(folder, ".")?, "", 0)?;
    listing.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(listing.files)
}

struct Listing {
    files: Vec<DataFile>,
    looked_at: usize,
}

impl Listing {
    fn walk(&mut self, folder: OwnedFd, above: &str, depth: usize) -> Result<(), Errno> {
        let mut folders = Vec::new();
        for entry in Dir::read_from(&folder)? {
            self.looked_at += 1;
            if self.looked_at > MOST_ENTRIES || self.files.len() >= MOST_FILES {
                return Ok(());
            }
            // What goes while it is looked at is not there.
            let Ok(entry) = entry else { return Ok(()) };
            let Some(name) = entry.file_name().to_str().ok().filter(|name| is_plain(name)) else { continue };
            let Ok(about) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(about.st_mode) {
                FileType::RegularFile if about.st_nlink == 1 => {
                    self.files.push(file(format!("{above}{name}"), &about));
                }
                FileType::Directory if !name.starts_with('.') && name != "__pycache__" => {
                    folders.push(name.to_owned());
                }
                _ => {}
            }
        }
        for name in folders.iter().filter(|_| depth < DEEPEST) {
            if let Ok(inner) = open_folder(folder.as_fd(), name) {
                self.walk(inner, &format!("{above}{name}/"), depth + 1)?;
            }
        }
        Ok(())
    }
}

fn file(path: String, about: &Stat) -> DataFile {
    let mut version: u128 = about.st_ino.into();
    for part in [about.st_mtime, about.st_ctime] {
        version = version.wrapping_mul(31).wrapping_add(part as u128);
    }
    for part in [about.st_mtime_nsec, about.st_ctime_nsec] {
        version = version.wrapping_mul(1_000_003).wrapping_add(u128::from(part));
    }
    DataFile { path, bytes: u64::try_from(about.st_size).unwrap_or_default(), version }
}
