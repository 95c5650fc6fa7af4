use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;

use crate::{Batch, Document, DocumentPage, Kind, ListRequest, Organization, StoreError};

/// A claim on a document as its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose document it is.
    pub organization: Organization,
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// The fence that the claim gave.
    pub fence: u64,
    /// The version that the owner saw or stored last.
    pub version: u64,
}

/// A durable home of documents.
///
/// # Contract
///
/// - **Atomic:** all steps of a batch are stored, or none is; its first failing step names the error.
/// - **In order:** the steps of a batch happen one after another, and each sees those before it.
/// - **Serial:** of commits that contradict each other one wins, and the others see what it stored.
/// - **Visible:** what was acknowledged is seen by every later call.
/// - **Separate:** no call sees or touches a document or counter of another organisation, but for `claim` and
///   `next_due`, which serve all.
/// - **Steady:** a page costs the same from a long list as from a short one, but for what its filters pass over.
/// - **Cancel-safe:** a dropped future leaves a batch wholly stored or not at all.
///
/// [`contract::check`](crate::contract::check) holds a backend to it.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Backend: Debug + Send + Sync + 'static {
    /// The document, if it is there.
    async fn get(&self, org: &Organization, kind: Kind, id: &str) -> Result<Option<Document>, StoreError>;

    /// One page of a list.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownCursor`] if a cursor names no document of this kind and parent.
    async fn list(&self, org: &Organization, request: &ListRequest) -> Result<DocumentPage, StoreError>;

    /// The first `limit` counters, by name, whose names begin with `prefix`; none that stands at 0.
    async fn counters(
        &self,
        org: &Organization,
        prefix: &str,
        limit: usize,
    ) -> Result<BTreeMap<String, i64>, StoreError>;

    /// Stores all of a batch or nothing.
    ///
    /// # Errors
    ///
    /// The first step that could not be done: [`StoreError::AlreadyExists`], [`StoreError::Conflict`],
    /// [`StoreError::Missing`], [`StoreError::Locked`] or [`StoreError::OverLimit`].
    async fn commit(&self, org: &Organization, batch: Batch) -> Result<(), StoreError>;

    /// Takes up to `limit` documents of any organisation that are due at `now_ms`, the longest due first.
    ///
    /// Each becomes due again at `lease_until_ms`, with one more on fence and version, and is returned so.
    async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError>;

    /// Moves the end of each lease whose document still has its fence and version, which stay as they are.
    ///
    /// `false`, in the order of `leases`, where somebody has changed, taken or deleted the document.
    async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError>;

    /// The earliest time, in Unix milliseconds, when a document of this kind is due; `None` if none ever is.
    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError>;
}
