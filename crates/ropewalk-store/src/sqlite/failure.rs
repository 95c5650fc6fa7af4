use crate::{BoxError, StoreError, disk::disk_error};

/// A [`StoreError`] that `?` makes of other libraries' errors, which the public type must not name.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StoreError);

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
        let full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        Self(if full {
            StoreError::NoSpace(error.into())
        } else {
            StoreError::Backend("sqlite", error.into())
        })
    }
}
