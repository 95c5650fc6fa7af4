use crate::{BoxError, StoreError};

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

backend_errors!(rusqlite::Error, std::io::Error, tokio::task::JoinError, &str, BoxError);
