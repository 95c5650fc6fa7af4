use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use ropewalk_store::{
    Backend, Batch, Document, DocumentPage, Kind, Lease, ListRequest, MemoryBackend, Organization, StoreError,
};

/// A store in memory whose commits have to pass a gate first, and whose leases may take long to renew.
pub(crate) struct Gated<G> {
    inner: MemoryBackend,
    gate: G,
    renewal: Duration,
}

impl<G> Gated<G> {
    pub(crate) fn new(gate: G) -> Self {
        Self { inner: MemoryBackend::default(), gate, renewal: Duration::ZERO }
    }

    pub(crate) fn slow_to_renew(mut self, renewal: Duration) -> Self {
        self.renewal = renewal;
        self
    }
}

impl<G> Debug for Gated<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").finish_non_exhaustive()
    }
}

#[async_trait]
impl<G> Backend for Gated<G>
where
    G: Fn(&Batch) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync + 'static,
{
    async fn get(&self, org: &Organization, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        self.inner.get(org, kind, id).await
    }

    async fn list(&self, org: &Organization, request: &ListRequest) -> Result<DocumentPage, StoreError> {
        self.inner.list(org, request).await
    }

    async fn counters(
        &self,
        org: &Organization,
        prefix: &str,
        limit: usize,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        self.inner.counters(org, prefix, limit).await
    }

    async fn commit(&self, org: &Organization, batch: Batch) -> Result<(), StoreError> {
        (self.gate)(&batch).await?;
        self.inner.commit(org, batch).await
    }

    async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError> {
        self.inner.claim(kind, now_ms, lease_until_ms, limit).await
    }

    async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        tokio::time::sleep(self.renewal).await;
        self.inner.renew(leases, until_ms).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError> {
        self.inner.next_due(kind).await
    }
}
