//! What each endpoint does, a file a resource.

pub(crate) mod assistants;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod run_steps;
pub(crate) mod runs;
pub(crate) mod threads;

use ropewalk_store::{Document, Kind, Scope, StoreError};

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

/// Whether a change has to be tried again because another was faster.
fn lost_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. })
}
