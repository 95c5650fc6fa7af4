use std::path::Path;

use rand::rngs::StdRng;
use ropewalk_power_loss::Syncs;
use ropewalk_store::{Batch, Kind, Put, Store};
use rusqlite::Connection;

use crate::workload::{Workload, all, scope};

/// Cuts the power and looks at what the store has then.
pub(crate) fn after_cut(
    workload: &Workload,
    steps: usize,
    syncs: Syncs,
    chance: &mut StdRng,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    workload.recording.cut(steps, syncs, chance, folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(look(workload, steps, folder.path()))
}

async fn look(workload: &Workload, steps: usize, folder: &Path) -> Result<(), String> {
    let store = Store::sqlite(folder).map_err(|error| format!("it does not open: {error:?}"))?;
    let there = contents(&store).await?;
    let count = there.batches;
    if count > 0 && steps < workload.opened {
        return Err("there is something before the store was open".to_owned());
    }
    // Of the order in which batches were stored, the first ones are there, each whole, and nothing else.
    let expected = Store::in_memory();
    for batch in workload.stored.iter().take(count) {
        scope(&expected)
            .commit(batch.clone())
            .await
            .map_err(|error| format!("no history has it: {error}"))?;
    }
    let expected = contents(&expected).await?;
    if there != expected {
        return Err(format!("after {count} batches there is not what they stored"));
    }
    let lost = workload.synced.iter().find(|(place, by)| *by <= steps && *place >= count);
    if let Some((place, by)) = lost {
        return Err(format!("batch {place}, synced by step {by}, is lost: {count} are there"));
    }
    let go_on = Batch::new().put(Put::new(Kind::Run, "after", 0, "{}"));
    scope(&store).commit(go_on).await.map_err(|error| format!("it does not go on: {error}"))?;
    drop(store);
    let connection = Connection::open(folder.join("ropewalk.db")).map_err(|error| error.to_string())?;
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(|error| error.to_string())?;
    if sound == "ok" { Ok(()) } else { Err(sound) }
}

/// All that a history can tell apart: documents with their versions and times, and counters.
#[derive(PartialEq)]
struct Contents {
    batches: usize,
    documents: Vec<ropewalk_store::Document>,
    counters: std::collections::BTreeMap<String, i64>,
}

async fn contents(store: &Store) -> Result<Contents, String> {
    let (scope, mut documents) = (scope(store), Vec::new());
    let mut batches = 0;
    for kind in [Kind::Thread, Kind::Message] {
        let page = scope.list(&all(kind)).await.map_err(|error| format!("it cannot be read: {error:?}"))?;
        if kind == Kind::Thread {
            batches = page.documents.len();
        }
        documents.extend(page.documents);
    }
    let counters = scope.counters("").await.map_err(|error| format!("it cannot be read: {error:?}"))?;
    Ok(Contents { batches, documents, counters })
}
