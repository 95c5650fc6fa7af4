use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A configured model with instructions and tools.
    Assistant,
    /// A conversation.
    Thread,
    /// An entry of a thread, its parent.
    Message,
    /// One execution of an assistant on a thread, its parent.
    Run,
    /// One recorded move of a run, its parent.
    RunStep,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: &'static [Self] =
        &[Self::Assistant, Self::Thread, Self::Message, Self::Run, Self::RunStep];

    /// The word that stands for the kind where it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::Thread => "thread",
            Self::Message => "message",
            Self::Run => "run",
            Self::RunStep => "run_step",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
