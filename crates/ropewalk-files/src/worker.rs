//! What a library does besides what requests bring: it takes files in, and ends what has expired.

use std::time::Duration;

use ropewalk_store::{Claim, Kind};
use ropewalk_types::{FileId, UploadId, UploadStatus};
use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval},
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
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.take_in_all() => {}
            () = self.end_all() => {}
        }
    }

    async fn take_in_all(&self) {
        let mut tick = tick();
        let mut ingestions = JoinSet::new();
        loop {
            tokio::select! {
                () = self.0.due.notified() => {}
                Some(_) = ingestions.join_next() => {}
                _ = tick.tick() => {}
            }
            let room = self.0.options.ingestions.saturating_sub(ingestions.len());
            for claim in self.claim(Kind::VectorStoreFile, room).await {
                let library = self.clone();
                ingestions.spawn(async move { library.take_in(claim).await });
            }
        }
    }

    async fn end_all(&self) {
        let mut tick = tick();
        loop {
            tick.tick().await;
            for Claim { scope, document } in self.claim(Kind::File, CLAIMS).await {
                let deleted = self.delete_file(&scope, &FileId::new(document.id.as_str())).await;
                log(&document.id, deleted);
            }
            for Claim { scope, document } in self.claim(Kind::DeletedFile, CLAIMS).await {
                let forgotten = self.forget_deleted(&scope, &FileId::new(document.id.as_str())).await;
                log(&document.id, forgotten);
            }
            for Claim { scope, document } in self.claim(Kind::Upload, CLAIMS).await {
                let id = UploadId::new(document.id.as_str());
                let ended = match self.end_upload(&scope, &id, UploadStatus::Expired).await {
                    Ok(_) | Err(FileError::UploadOver(_)) => self.drop_parts(&scope, &id).await,
                    Err(error) => Err(error),
                };
                log(&document.id, ended);
            }
        }
    }

    async fn claim(&self, kind: Kind, limit: usize) -> Vec<Claim> {
        if limit == 0 {
            return Vec::new();
        }
        match self.0.store.claim(kind, self.0.clock.now_ms(), self.later(LEASE), limit).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%kind, error = &error as &dyn std::error::Error, "nothing could be claimed");
                Vec::new()
            }
        }
    }
}

fn tick() -> Interval {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// What could not be ended falls due again.
fn log(id: &str, ended: Result<(), FileError>) {
    match ended {
        Ok(()) => tracing::info!(id, "expired"),
        Err(FileError::NoFile(_) | FileError::NoUpload(_) | FileError::UploadOver(_)) => {}
        Err(error) => tracing::error!(id, error = &error as &dyn std::error::Error, "expired, and not ended"),
    }
}
