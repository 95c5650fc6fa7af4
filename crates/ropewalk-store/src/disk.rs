//! Files and folders that only their owner can read, and that outlive the power.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

use crate::StoreError;

/// Makes a folder, and those above it that are missing.
pub(crate) fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a folder, and those above it that are missing, for good.
pub(crate) fn lasting_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    private_folder().create(path)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_folder)
}

/// Makes the names in a folder durable, where the system has a way to.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Opens a file to read and write.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What the system's refusal to open `path` means to whoever starts.
pub(crate) fn open_error(backend: &'static str, path: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let kind = error.kind();
    // A file where a folder has to be is said to exist already.
    match kind {
        PermissionDenied
        | ReadOnlyFilesystem
        | NotADirectory
        | IsADirectory
        | io::ErrorKind::AlreadyExists => {
            StoreError::Inaccessible { path: path.to_owned(), source: error.into() }
        }
        _ => disk_error(backend, error),
    }
}

/// What a full disk or a broken one means to the caller of this backend.
pub(crate) fn disk_error(backend: &'static str, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::NoSpace(error.into())
        }
        _ => StoreError::Backend(backend, error.into()),
    }
}
