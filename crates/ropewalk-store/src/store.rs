use std::sync::Arc;

use crate::{Backend, Document, Kind, Lease, MemoryBackend, Organization, Scope, StoreError};

/// The documents of all organisations. Cheap to clone; the last clone to go closes the backend.
#[derive(Debug, Clone)]
pub struct Store(Arc<dyn Backend>);

impl Store {
    /// A store on any backend.
    pub fn new(backend: impl Backend) -> Self {
        Self(Arc::new(backend))
    }

    /// A store that forgets everything with the process.
    pub fn in_memory() -> Self {
        Self::new(MemoryBackend::default())
    }

    /// The store in the file `ropewalk.db` of this folder; makes both where they are missing.
    ///
    /// Blocks on the disk. Dropping the last clone waits for the writes under way.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another server has the folder, [`StoreError::TooNew`] if a newer release wrote
    /// the data, [`StoreError::Backend`] if the disk fails.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(folder: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        Ok(Self::new(crate::SqliteBackend::open(folder.as_ref())?))
    }

    /// The store of a folder whose server may be running, for a command that is soon over.
    ///
    /// The server and the command see at once what the other stored, and take turns in writing. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoDatabase`] if there is no store, [`StoreError::InUse`] if the server is of an older release,
    /// [`StoreError::TooNew`] if a newer release wrote the data, [`StoreError::Backend`] if the disk fails.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_beside(folder: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        Ok(Self::new(crate::SqliteBackend::open_beside(folder.as_ref())?))
    }

    /// Like [`sqlite_beside`](Self::sqlite_beside), and makes the store first if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`sqlite_beside`](Self::sqlite_beside), but for [`StoreError::NoDatabase`].
    #[cfg(feature = "sqlite")]
    pub fn sqlite_beside_or_new(folder: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        match Self::sqlite_beside(folder) {
            Err(StoreError::NoDatabase { .. }) => {
                drop(Self::sqlite(folder)?);
                Self::sqlite_beside(folder)
            }
            opened => opened,
        }
    }

    /// The documents of one organisation.
    pub fn scope(&self, organization: Organization) -> Scope {
        Scope::new(Arc::clone(&self.0), organization)
    }

    /// Takes up to `limit` documents that are due at `now_ms` for the caller alone, the longest due first.
    ///
    /// Unless renewed or put, each falls due again at `lease_until_ms`. Times are Unix milliseconds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] or [`StoreError::Backend`].
    pub async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        let claimed = self.0.claim(kind, now_ms, lease_until_ms, limit).await?;
        Ok(claimed.into_iter().map(|(org, document)| Claim { scope: self.scope(org), document }).collect())
    }

    /// Moves the end of each lease to `until_ms`; `false` for those whose document was changed or taken.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] or [`StoreError::Backend`].
    pub async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        self.0.renew(leases, until_ms).await
    }

    /// When the next document of this kind is due, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    pub async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError> {
        self.0.next_due(kind).await
    }
}

/// Work that was due and is now the caller's until its lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The organisation that it belongs to.
    pub scope: Scope,
    /// The document as it is now.
    pub document: Document,
}

impl Claim {
    /// What to renew.
    pub fn lease(&self) -> Lease {
        Lease {
            organization: self.scope.organization().clone(),
            kind: self.document.kind,
            id: self.document.id.clone(),
            fence: self.document.fence,
            version: self.document.version,
        }
    }
}
