use bytes::Bytes;

use crate::{Kind, StoreError};

/// What must be stored for a put to happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    #[default]
    Any,
    /// Nothing: the document is new.
    Absent,
    /// The document at exactly this version.
    Version(u64),
}

impl Expect {
    /// Compares what is expected with the stored version, `None` if nothing is stored: for backends.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyExists`], [`StoreError::Missing`] or [`StoreError::Conflict`].
    pub fn check(self, kind: Kind, id: &str, stored: Option<u64>) -> Result<(), StoreError> {
        let id = || id.to_owned();
        match (self, stored) {
            (Self::Absent, Some(_)) => Err(StoreError::AlreadyExists { kind, id: id() }),
            (Self::Version(_), None) => Err(StoreError::Missing { kind, id: id() }),
            (Self::Version(expected), Some(stored)) if expected != stored => {
                Err(StoreError::Conflict { kind, id: id() })
            }
            _ => Ok(()),
        }
    }
}

/// A document to store: the whole of it, whatever was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// What it is.
    pub kind: Kind,
    /// Unique within its organisation and kind.
    pub id: String,
    /// Id of the object that it belongs to.
    pub parent: Option<String>,
    /// A second filter for lists: a message's run.
    pub tag: Option<String>,
    /// Unix seconds; orders lists.
    pub created_at: i64,
    /// The JSON that goes over the wire.
    pub body: Bytes,
    /// What the server keeps with the object and never sends.
    pub state: Option<Bytes>,
    /// A name that this document holds until it is put without it or deleted; one holder in an organisation.
    pub lock: Option<String>,
    /// Unix milliseconds when somebody must look at it again.
    pub due_at: Option<i64>,
    /// Whether `due_at` is the end of a lease of whoever puts it, as after a claim.
    pub leased: bool,
    /// Sets the fence; `None` keeps it, 0 in a new document.
    pub fence: Option<u64>,
    /// What must be stored before.
    pub expect: Expect,
}

impl Put {
    /// A document with this body and nothing else, over whatever is there.
    pub fn new(kind: Kind, id: impl Into<String>, created_at: i64, body: impl Into<Bytes>) -> Self {
        Self {
            kind,
            id: id.into(),
            parent: None,
            tag: None,
            created_at,
            body: body.into(),
            state: None,
            lock: None,
            due_at: None,
            leased: false,
            fence: None,
            expect: Expect::Any,
        }
    }

    /// Puts it below another object.
    #[must_use]
    pub fn parent(mut self, id: impl Into<String>) -> Self {
        self.parent = Some(id.into());
        self
    }

    /// Marks it for lists that ask for this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Adds the private part.
    #[must_use]
    pub fn state(mut self, state: impl Into<Bytes>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Takes or keeps the lock of this name.
    #[must_use]
    pub fn lock(mut self, name: impl Into<String>) -> Self {
        self.lock = Some(name.into());
        self
    }

    /// Makes it claimable from this time on, in Unix milliseconds; `None` never.
    #[must_use]
    pub fn due_at(mut self, unix_ms: impl Into<Option<i64>>) -> Self {
        self.due_at = unix_ms.into();
        self
    }

    /// Takes or renews a lease on it: claimable from this time on, in Unix milliseconds, or as soon as a store finds
    /// that its owner is gone.
    #[must_use]
    pub fn lease_until(mut self, unix_ms: i64) -> Self {
        (self.due_at, self.leased) = (Some(unix_ms), true);
        self
    }

    /// Sets the fence.
    #[must_use]
    pub fn fence(mut self, fence: impl Into<Option<u64>>) -> Self {
        self.fence = fence.into();
        self
    }

    /// Says what must be stored before.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// When a commit counts as done. Either way it is visible to readers then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// It survives the loss of power.
    #[default]
    Synced,
    /// It survives a crash of the process, and may be lost with the power.
    Written,
}

/// One step of a [`Batch`].
///
/// Exhaustive on purpose: a backend that does not know a step must fail to compile, not skip it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Stores a document.
    Put(Put),
    /// Removes the document, which must be there.
    Delete(Kind, String),
    /// Removes the document, which must be there, and all below it by parent.
    DeleteTree(Kind, String),
    /// The document must be there.
    Require(Kind, String),
    /// The document must be there at exactly this version.
    RequireVersion(Kind, String, u64),
    /// Nobody may hold this lock.
    RequireUnlocked(String),
    /// Moves a counter by so much; it stops at the ends of what 64 bits hold.
    Add(String, i64),
    /// Sets all counters to 0 whose names begin so.
    DropCounters(String),
    /// The counter may not stand above this.
    RequireAtMost(String, i64),
}

/// What is to be stored together or not at all. Its steps happen in order, and each sees those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The steps.
    pub operations: Vec<Operation>,
    /// When it counts as done.
    pub durability: Durability,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a document.
    #[must_use]
    pub fn put(self, put: Put) -> Self {
        self.with(Operation::Put(put))
    }

    /// Removes a document that must be there; what is below it stays.
    #[must_use]
    pub fn delete(self, kind: Kind, id: impl Into<String>) -> Self {
        self.with(Operation::Delete(kind, id.into()))
    }

    /// Removes a document that must be there, and all that have it or one of those for a parent.
    ///
    /// Only kinds that [have children](Kind::has_children) are looked below.
    #[must_use]
    pub fn delete_tree(self, kind: Kind, id: impl Into<String>) -> Self {
        self.with(Operation::DeleteTree(kind, id.into()))
    }

    /// Fails the batch unless the document is there.
    #[must_use]
    pub fn require(self, kind: Kind, id: impl Into<String>) -> Self {
        self.with(Operation::Require(kind, id.into()))
    }

    /// Fails the batch unless the document is there at exactly this version.
    #[must_use]
    pub fn require_version(self, kind: Kind, id: impl Into<String>, version: u64) -> Self {
        self.with(Operation::RequireVersion(kind, id.into(), version))
    }

    /// Fails the batch if a document holds the lock.
    #[must_use]
    pub fn require_unlocked(self, lock: impl Into<String>) -> Self {
        self.with(Operation::RequireUnlocked(lock.into()))
    }

    /// Moves a counter by `delta`. All start at 0; whoever else adds at the same time, nothing is lost.
    #[must_use]
    pub fn add(self, counter: impl Into<String>, delta: i64) -> Self {
        self.with(Operation::Add(counter.into(), delta))
    }

    /// Sets all counters to 0 whose names begin with `prefix`.
    #[must_use]
    pub fn drop_counters(self, prefix: impl Into<String>) -> Self {
        self.with(Operation::DropCounters(prefix.into()))
    }

    /// Fails the batch if the counter, as the steps before left it, stands above `limit`.
    #[must_use]
    pub fn require_at_most(self, counter: impl Into<String>, limit: i64) -> Self {
        self.with(Operation::RequireAtMost(counter.into(), limit))
    }

    /// All steps of another batch behind its own.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        self
    }

    /// Says when it counts as done; [`Durability::Synced`] unless told.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }
}
