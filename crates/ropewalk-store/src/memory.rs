mod tables;

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    Backend, Batch, Document, DocumentPage, Kind, Lease, ListRequest, Organization, StoreError,
    list::{Position, interval},
};
use tables::Tables;

/// Documents in memory: for tests, and for programs that need nothing to stay.
#[derive(Default)]
pub struct MemoryBackend(Mutex<Tables>);

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn get(&self, org: &Organization, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.0.lock().find(org, kind, id).map(|(_, row)| row.document.clone()))
    }

    async fn list(&self, org: &Organization, request: &ListRequest) -> Result<DocumentPage, StoreError> {
        let tables = self.0.lock();
        let position = |id: &String| -> Result<Position, StoreError> {
            match tables.find(org, request.kind, id) {
                Some((seq, row)) if row.document.parent == request.parent => {
                    Ok((row.document.created_at, seq))
                }
                _ => Err(StoreError::UnknownCursor { id: id.clone() }),
            }
        };
        let after = request.after.as_ref().map(position).transpose()?;
        let before = request.before.as_ref().map(position).transpose()?;
        let (low, high) = request.narrow(interval(request.order, after, before));
        let documents = tables.slice(org, request, low, high);
        Ok(DocumentPage::cut(documents, request.limit))
    }

    async fn counters(
        &self,
        org: &Organization,
        prefix: &str,
        limit: usize,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        Ok(self.0.lock().counters(org, prefix).take(limit).collect())
    }

    async fn commit(&self, org: &Organization, batch: Batch) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        let mut undo = Vec::new();
        let done = batch.operations.into_iter().try_for_each(|step| tables.apply(org, step, &mut undo));
        if done.is_err() {
            undo.into_iter().rev().for_each(|old| tables.restore(org, old));
        }
        done
    }

    async fn claim(
        &self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Organization, Document)>, StoreError> {
        Ok(self.0.lock().claim(kind, now_ms, lease_until_ms, limit))
    }

    async fn renew(&self, leases: &[Lease], until_ms: i64) -> Result<Vec<bool>, StoreError> {
        let mut tables = self.0.lock();
        Ok(leases.iter().map(|lease| tables.renew(lease, until_ms)).collect())
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, StoreError> {
        Ok(self.0.lock().next_due(kind))
    }
}
