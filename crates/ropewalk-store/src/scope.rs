use std::{collections::BTreeMap, sync::Arc};

use crate::{Backend, Batch, Document, DocumentPage, Kind, ListRequest, Organization, StoreError};

/// Most counters of one reply.
const MAX_COUNTERS: usize = 1000;

/// The documents of one organisation: whoever holds it cannot reach those of another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scope {
    backend: Arc<dyn Backend>,
    organization: Organization,
}

impl Scope {
    pub(crate) fn new(backend: Arc<dyn Backend>, organization: Organization) -> Self {
        Self { backend, organization }
    }

    /// Whose documents these are.
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    /// The document, if it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn get(&self, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        self.backend.get(&self.organization, kind, id).await
    }

    /// One page of a list.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownCursor`] if a cursor names no document of the list, [`StoreError::Backend`].
    pub async fn list(&self, request: &ListRequest) -> Result<DocumentPage, StoreError> {
        self.backend.list(&self.organization, request).await
    }

    /// The counters whose names begin with `prefix`: the first 1,000 by name, none that stands at 0.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn counters(&self, prefix: &str) -> Result<BTreeMap<String, i64>, StoreError> {
        self.backend.counters(&self.organization, prefix, MAX_COUNTERS).await
    }

    /// What one counter stands at.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn counter(&self, name: &str) -> Result<i64, StoreError> {
        // Of the names that begin with this one it is the first.
        let found = self.backend.counters(&self.organization, name, 1).await?;
        Ok(found.get(name).copied().unwrap_or_default())
    }

    /// Stores all of a batch or nothing.
    ///
    /// # Errors
    ///
    /// What the first failing step says: [`StoreError::AlreadyExists`], [`StoreError::Conflict`],
    /// [`StoreError::Missing`], [`StoreError::Locked`] or [`StoreError::OverLimit`]; [`StoreError::Busy`]; [`StoreError::Backend`].
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.backend.commit(&self.organization, batch).await
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{MockBackend, Store};

    #[tokio::test]
    async fn a_scope_speaks_for_its_organisation() {
        let mut backend = MockBackend::new();
        backend.expect_get().withf(|org, _, _| org.as_str() == "rope").returning(|_, _, _| Ok(None));
        let scope = Store::new(backend).scope(Organization::new("rope"));
        assert_eq!(scope.get(Kind::Run, "run").await.unwrap(), None);
    }
}
