//! What each endpoint does, a file a resource.

pub(crate) mod assistants;
mod attachments;
pub(crate) mod chat_completions;
pub(crate) mod files;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod run_steps;
pub(crate) mod runs;
pub(crate) mod thread_lists;
pub(crate) mod threads;
pub(crate) mod uploads;
pub(crate) mod vector_store_file_batches;
pub(crate) mod vector_store_files;
pub(crate) mod vector_stores;

use bytes::Bytes;
use ropewalk_store::{Batch, Document, Expect, Kind, Put, Scope, StoreError};
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;

/// Tries of a change that others keep getting ahead of.
const CHANGE_TRIES: usize = 20;

/// Gets one object, which must stand below `parent` if one is given.
async fn find(scope: &Scope, kind: Kind, id: &str, parent: Option<&str>) -> Result<Document, ApiError> {
    let document = scope.get(kind, id).await?;
    document
        .filter(|document| parent.is_none_or(|parent| document.parent.as_deref() == Some(parent)))
        .ok_or_else(|| ApiError::not_found(kind, id))
}

/// Changes one object, again if another was faster, and gives its new wire form. `also` is stored with it.
async fn change<T: DeserializeOwned>(
    scope: &Scope,
    (kind, id): (Kind, &str),
    parent: Option<&str>,
    edit: impl Fn(&mut T),
    put: impl Fn(&T) -> Put,
    also: &Batch,
) -> Result<Bytes, ApiError> {
    for _ in 0..CHANGE_TRIES {
        let document = find(scope, kind, id, parent).await?;
        let mut object: T = document.decode()?;
        edit(&mut object);
        let mut put = put(&object).expect(Expect::Version(document.version));
        put.state = put.state.or(document.state);
        let json = put.body.clone();
        match scope.commit(also.clone().put(put)).await {
            Ok(()) => return Ok(json),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}
