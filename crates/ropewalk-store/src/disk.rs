//! Files and folders that only their owner can read.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
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

/// Opens a file to read and write.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What a full disk or a broken one means to the caller of this backend.
pub(crate) fn disk_error(backend: &'static str, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace(error.into()),
        _ => StoreError::Backend(backend, error.into()),
    }
}
