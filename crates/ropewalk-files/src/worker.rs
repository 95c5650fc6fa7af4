//! What a library does besides what requests bring: it takes files in, and ends what has expired.

use std::time::Duration;

use ropewalk_store::{Claim, Kind};
use ropewalk_types::{FileId, UploadId, UploadStatus};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{FileError, Library};

/// How often the worker looks for what is due.
const TICK: Duration = Duration::from_secs(1);
/// How long a claim lasts; what takes longer renews it.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Expired objects ended in one go.
const CLAIMS: usize = 64;

impl Library {
    /// Works until `stop`: without a worker no file in a vector store ever becomes searchable.
    pub async fn work(&self, stop: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ingestions = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.due.notified() => {}
                Some(_) = ingestions.join_next() => {}
                _ = tick.tick() => self.end_expired().await,
            }
            let room = self.0.options.ingestions.saturating_sub(ingestions.len());
            for claim in self.claim(Kind::VectorStoreFile, room).await {
                let library = self.clone();
                ingestions.spawn(async move { library.take_in(claim).await });
            }
        }
    }

    async fn end_expired(&self) {
        for Claim { scope, document } in self.claim(Kind::File, CLAIMS).await {
            let deleted = self.delete_file(&scope, &FileId::new(document.id.as_str())).await;
            log(&document.id, deleted);
        }
        for Claim { scope, document } in self.claim(Kind::Upload, CLAIMS).await {
            let id = UploadId::new(document.id.as_str());
            let ended = match self.end_upload(&scope, &id, UploadStatus::Expired).await {
                Ok(_) => self.drop_parts(&scope, &id).await,
                Err(error) => Err(error),
            };
            log(&document.id, ended);
        }
    }

    async fn claim(&self, kind: Kind, limit: usize) -> Vec<Claim> {
        if limit == 0 {
            return Vec::new();
        }
        let now = self.0.clock.now_ms();
        let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        match self.0.store.claim(kind, now, now.saturating_add(lease), limit).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%kind, error = &error as &dyn std::error::Error, "nothing could be claimed");
                Vec::new()
            }
        }
    }
}

/// What could not be ended falls due again.
fn log(id: &str, ended: Result<(), FileError>) {
    match ended {
        Ok(()) => tracing::info!(id, "expired"),
        Err(FileError::NoFile(_) | FileError::NoUpload(_) | FileError::UploadOver(_)) => {}
        Err(error) => tracing::error!(id, error = &error as &dyn std::error::Error, "expired, and not ended"),
    }
}
