use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{Kind, StoreError};

/// One stored object, as it was at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Unique within its organisation and kind.
    pub id: String,
    /// Id of the object that it belongs to.
    pub parent: Option<String>,
    /// Unix seconds; orders lists.
    pub created_at: i64,
    /// The JSON that goes over the wire, byte for byte.
    pub body: Bytes,
    /// What the server keeps with the object and never sends.
    pub state: Option<Bytes>,
    /// 1 after the first put, one more after each put or claim.
    pub version: u64,
    /// Who owns the work on it: one more after each claim, or as a put says.
    pub fence: u64,
    /// Unix milliseconds when somebody must look at it again; for claimed work the end of the lease.
    pub due_at: Option<i64>,
}

impl Document {
    /// The body as a `T`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it is not the JSON of one.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        self.read(&self.body)
    }

    /// The private state as a `T`, if there is any.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it is not the JSON of one.
    pub fn decode_state<T: DeserializeOwned>(&self) -> Result<Option<T>, StoreError> {
        self.state.as_deref().map(|state| self.read(state)).transpose()
    }

    fn read<T: DeserializeOwned>(&self, json: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(json).map_err(|source| StoreError::Corrupt {
            kind: self.kind,
            id: self.id.clone(),
            source: source.into(),
        })
    }
}
