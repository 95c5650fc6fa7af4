use std::{collections::HashMap, sync::Arc};

use rand::{RngExt, rngs::StdRng};
use ropewalk_power_loss::Recording;
use ropewalk_store::{
    Batch, Durability, Expect, Kind, ListRequest, Organization, Put, Scope, Store, StoreError,
};
use ropewalk_types::Order;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A history of a store: what was asked of it, and what became of that.
pub(crate) struct Workload {
    pub(crate) recording: Arc<Recording>,
    /// Steps of the recording when the store was open.
    pub(crate) opened: usize,
    /// The batches that were stored, in the order in which they were.
    pub(crate) stored: Vec<Batch>,
    /// For each of them that was acknowledged as synced: its place in the order, and the steps by then.
    pub(crate) synced: Vec<(usize, usize)>,
    _folder: TempDir,
}

pub(crate) fn scope(store: &Store) -> Scope {
    store.scope(Organization::new("rope"))
}

/// All of a kind, the first stored first.
pub(crate) fn all(kind: Kind) -> ListRequest {
    ListRequest::new(kind).limit(10_000).order(Order::Asc)
}

/// A batch that its document tells apart; that it stands in the list of those says when it was stored.
fn batch(name: &str, chance: &mut StdRng) -> Batch {
    let batch = Batch::new().put(Put::new(Kind::Thread, name, 0, name.to_owned()).expect(Expect::Absent));
    let batch = (0..chance.random_range(0..6)).fold(batch, |batch, _| {
        let slot = format!("slot {}", chance.random_range(0..12));
        match chance.random_range(0..10) {
            0..6 => {
                let body = vec![chance.random(); chance.random_range(0..9000)];
                batch.put(Put::new(Kind::Message, slot, 0, body).due_at(chance.random_range(1..99)))
            }
            6 => batch.delete(Kind::Message, slot), // Half of the time there is none, and the batch fails.
            _ => batch.add(format!("counter {}", chance.random_range(0..3)), chance.random_range(-5..9)),
        }
    });
    let durability = if chance.random_bool(0.4) { Durability::Written } else { Durability::Synced };
    batch.durability(durability)
}

impl Workload {
    pub(crate) fn run(chance: &mut StdRng) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::play(chance))
    }

    async fn play(chance: &mut StdRng) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording::start(folder.path()).unwrap();
        let store = Store::sqlite(folder.path()).unwrap();
        let opened = recording.steps();
        let (mut asked, mut synced) = (HashMap::new(), Vec::new());
        for round in 0..chance.random_range(4..16) {
            let mut commits = JoinSet::new();
            for n in 0..chance.random_range(1..9) {
                let (name, scope, recording) = (format!("{round}/{n}"), scope(&store), recording.clone());
                let batch = batch(&name, chance);
                asked.insert(name.clone(), batch.clone());
                commits.spawn(async move {
                    let durability = batch.durability;
                    let done = scope.commit(batch).await;
                    assert!(matches!(done, Ok(()) | Err(StoreError::Missing { .. })), "{done:?}");
                    (done.is_ok() && durability == Durability::Synced).then(|| (name, recording.steps()))
                });
            }
            if chance.random_bool(0.3) {
                tokio::task::yield_now().await; // The commits are under way.
                move_log(
                    folder.path(),
                    ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][chance.random_range(0..4)],
                );
            }
            synced.extend(commits.join_all().await.into_iter().flatten());
        }
        let page = scope(&store).list(&all(Kind::Thread)).await.unwrap();
        let order: Vec<_> = page.documents.into_iter().map(|document| document.id).collect();
        let place = |name: &String| order.iter().position(|stored| stored == name).unwrap();
        let synced = synced.iter().map(|(name, steps)| (place(name), *steps)).collect();
        let stored = order.iter().filter_map(|name| asked.remove(name)).collect();
        Self { recording, opened, stored, synced, _folder: folder }
    }
}

/// Moves what is in the log into the file, beside the store.
fn move_log(folder: &std::path::Path, how: &str) {
    let connection = Connection::open(folder.join("ropewalk.db")).unwrap();
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).unwrap();
}
