use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::{commit, ids, put, read, scope};
use crate::{Batch, Claim, Kind, Lease, Put, Store};

fn run(id: &str, due_at: i64) -> Put {
    Put::new(Kind::Run, id, 0, "body").state("state").due_at(due_at)
}

async fn claim(store: &Store, now_ms: i64, lease_until_ms: i64, limit: usize) -> Vec<Claim> {
    store.claim(Kind::Run, now_ms, lease_until_ms, limit).await.expect("a claim succeeds")
}

async fn renew(store: &Store, claims: &[&Claim], until_ms: i64) -> Vec<bool> {
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease()).collect();
    store.renew(&leases, until_ms).await.expect("a renewal succeeds")
}

async fn next_due(store: &Store) -> Option<i64> {
    store.next_due(Kind::Run).await.expect("a read succeeds")
}

fn claimed(claims: &[Claim]) -> Vec<&str> {
    ids(claims.iter().map(|claim| &claim.document))
}

pub(super) async fn what_is_due_is_claimed_once_and_the_longest_due_first(store: &Store) {
    let scope = scope(store);
    assert_eq!(next_due(store).await, None);
    assert_eq!(claimed(&claim(store, i64::MAX, i64::MAX, 9).await), [""; 0]);
    let runs = ["late", "early", "also_early", "future", "now"].into_iter().zip([20, 10, 10, 31, 30]);
    let batch = runs.fold(put(Kind::Run, "never"), |batch, (id, due_at)| batch.put(run(id, due_at)));
    commit(&scope, batch.put(Put::new(Kind::Message, "message", 0, "{}").due_at(5))).await;
    assert_eq!(next_due(store).await, Some(10));
    assert_eq!(claimed(&claim(store, 9, 100, 9).await), [""; 0], "nothing is due yet");
    assert_eq!(claimed(&claim(store, 30, 100, 0).await), [""; 0]);
    let first = claim(store, 30, 100, 1).await;
    assert_eq!(claimed(&first), ["early"]);
    assert_eq!(claimed(&claim(store, 30, 101, 9).await), ["also_early", "late", "now"]);
    assert_eq!(claimed(&claim(store, 30, 100, 9).await), [""; 0], "each is claimed once");
    assert_eq!(next_due(store).await, Some(31));

    let document = &first[0].document;
    assert_eq!((document.version, document.fence, document.due_at), (2, 1, Some(100)));
    assert_eq!((&document.body[..], document.state.as_deref()), (&b"body"[..], Some(&b"state"[..])));
    assert_eq!(read(&scope, Kind::Run, "early").await, *document, "as it is stored");
}

pub(super) async fn a_lease_that_ended_is_taken_over(store: &Store) {
    commit(&scope(store), Batch::new().put(run("run", 1).fence(7))).await;
    let first = claim(store, 1, 100, 1).await;
    assert_eq!(claimed(&claim(store, 99, 200, 1).await), [""; 0], "the lease runs");
    let second = claim(store, 100, 200, 1).await;
    assert_eq!((first[0].document.fence, second[0].document.fence), (8, 9));
    assert_eq!(renew(store, &[&first[0], &second[0]], 300).await, [false, true]);
}

pub(super) async fn a_put_ends_or_moves_the_claim(store: &Store) {
    let scope = scope(store);
    commit(&scope, Batch::new().put(run("run", 1)).put(run("moved", 2)).put(run("gone", 3))).await;
    claim(store, 3, 100, 9).await;
    commit(&scope, put(Kind::Run, "run").put(run("moved", 50)).delete(Kind::Run, "gone")).await;
    assert_eq!(next_due(store).await, Some(50));
    let again = claim(store, 1000, 2000, 9).await;
    assert_eq!(claimed(&again), ["moved"]);
    assert_eq!((again[0].document.version, again[0].document.fence), (4, 2), "a put keeps the fence");
}

pub(super) async fn a_lease_is_renewed_until_somebody_takes_or_changes_it(store: &Store) {
    let scope = scope(store);
    let names = ["kept", "changed", "fenced", "deleted"];
    let batch = names.into_iter().fold(Batch::new(), |batch, id| batch.put(run(id, 1)));
    commit(&scope, batch).await;
    let claims = claim(store, 1, 100, 9).await;
    let all: Vec<_> = claims.iter().collect();
    assert_eq!(renew(store, &[], 150).await, [false; 0]);
    assert_eq!(renew(store, &all, 150).await, [true; 4]);
    let kept = read(&scope, Kind::Run, "kept").await;
    assert_eq!((kept.version, kept.fence, kept.due_at), (2, 1, Some(150)), "a renewal moves the end alone");

    let changes = Batch::new().put(run("changed", 100)).put(run("fenced", 100).fence(9));
    commit(&scope, changes.delete(Kind::Run, "deleted")).await;
    assert_eq!(renew(store, &all, 300).await, [true, false, false, false]);
    assert_eq!(read(&scope, Kind::Run, "changed").await.due_at, Some(100), "the other put stands");
    let stale = claims.iter().map(|claim| {
        let mut lease = claim.lease();
        lease.fence += 1;
        lease
    });
    let stale: Vec<_> = stale.collect();
    assert_eq!(store.renew(&stale, 400).await.expect("a renewal succeeds"), [false; 4]);
    let kept = read(&scope, Kind::Run, "kept").await;
    assert_eq!(kept.due_at, Some(300));

    // What is over is not due any more, though its owner may not know yet.
    let over = Put { due_at: None, ..run("kept", 0) };
    commit(&scope, Batch::new().put(over)).await;
    let late = Lease { version: kept.version + 1, ..claims[0].lease() };
    assert_eq!(store.renew(&[late], 400).await.expect("a renewal succeeds"), [false]);
    assert!(claim(store, 1000, 2000, 9).await.iter().all(|claim| claim.document.id != "kept"));
}

pub(super) async fn many_workers_share_the_work_without_overlap(store: &Store) {
    let names: Vec<_> = (0..100).map(|n| format!("run_{n}")).collect();
    let batch = names.iter().fold(Batch::new(), |batch, id| batch.put(run(id, 1)));
    commit(&scope(store), batch).await;
    let mut workers = JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        workers.spawn(async move { claim(&store, 1, 100, 7).await });
    }
    let claims = workers.join_all().await.concat();
    let distinct: BTreeSet<_> = claimed(&claims).into_iter().collect();
    assert_eq!((claims.len(), distinct.len()), (100, 100));
}
