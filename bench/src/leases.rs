use std::time::{Duration, Instant};

use ropewalk_store::{Batch, Durability, Kind, Lease, Organization, Put, Store};

use crate::Extent;

/// Runs under lease at once.
const MANY: usize = 1000;

/// What durability and ownership add to a run, in calls of the store; medians.
#[derive(Debug)]
pub(crate) struct Leases {
    /// A change of a run that outlives the power: a streamed run waits for two.
    pub(crate) synced: Duration,
    /// A change that outlives the process: a run waits for one.
    pub(crate) written: Duration,
    /// One lease renewed, which each second brings.
    pub(crate) renewed: Duration,
    /// A thousand of them, in one call.
    pub(crate) all_renewed: Duration,
}

pub(crate) async fn measure(extent: Extent) -> anyhow::Result<Leases> {
    let folder = tempfile::tempdir()?;
    let store = Store::sqlite(folder.path())?;
    let organization = Organization::new("org-bench");
    let scope = store.scope(organization.clone());
    let put = |number: usize| {
        Put::new(Kind::Run, format!("run_{number}"), 0, vec![b'x'; 1500]).due_at(i64::MAX / 2).fence(1)
    };
    let mut many = Batch::new();
    for number in 0..MANY {
        many = many.put(put(number));
    }
    scope.commit(many).await?;
    let lease = |number: usize, version| Lease {
        organization: organization.clone(),
        kind: Kind::Run,
        id: format!("run_{number}"),
        fence: 1,
        version,
    };
    let all: Vec<Lease> = (0..MANY).map(|number| lease(number, 1)).collect();
    let all_renewed = median(extent, async || store.renew(&all, i64::MAX / 2).await.map(drop)).await?;
    let renewed = median(extent, async || store.renew(&all[..1], i64::MAX / 2).await.map(drop)).await?;
    let commit = async |durability| scope.commit(Batch::new().put(put(0)).durability(durability)).await;
    let synced = median(extent, async || commit(Durability::Synced).await).await?;
    let written = median(extent, async || commit(Durability::Written).await).await?;
    Ok(Leases { synced, written, renewed, all_renewed })
}

async fn median<E>(extent: Extent, call: impl AsyncFn() -> Result<(), E>) -> Result<Duration, E> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < extent.window || times.is_empty() {
        let called = Instant::now();
        call().await?;
        times.push(called.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
