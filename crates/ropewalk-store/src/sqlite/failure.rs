use std::{path::Path, sync::Arc};

use rusqlite::ErrorCode;

use crate::{BoxError, StoreError, disk::disk_error};

/// A [`StoreError`] that `?` makes of other libraries' errors, which the public type must not name.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StoreError);

impl Failure {
    /// What it means to whoever opens the file at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let (backend, source) = match self.0 {
            StoreError::Backend(backend, source) => (backend, source),
            other => return other,
        };
        let path = path.to_owned();
        match source.downcast_ref().and_then(rusqlite::Error::sqlite_error_code) {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path, source }
            }
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                StoreError::Inaccessible { path, source }
            }
            _ => StoreError::Backend(backend, source),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Failure> for StoreError {
    fn from(Failure(error): Failure) -> Self {
        error
    }
}

macro_rules! backend_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(StoreError::Backend("sqlite", error.into()))
            }
        }
    )*};
}

backend_errors!(tokio::task::JoinError, &str, BoxError);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(disk_error("sqlite", error))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(of(error.sqlite_error_code(), error.into()))
    }
}

/// Of a transaction that many shared.
impl From<Arc<rusqlite::Error>> for Failure {
    fn from(error: Arc<rusqlite::Error>) -> Self {
        Self(of(error.sqlite_error_code(), error.into()))
    }
}

fn of(code: Option<ErrorCode>, error: BoxError) -> StoreError {
    match code {
        Some(ErrorCode::DiskFull) => StoreError::NoSpace(error),
        Some(ErrorCode::DatabaseBusy) => StoreError::Busy, // A command beside has the turn.
        _ => StoreError::Backend("sqlite", error),
    }
}
