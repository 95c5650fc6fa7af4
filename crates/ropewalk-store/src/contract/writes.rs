use bytes::Bytes;
use tokio::task::JoinSet;

use super::{commit, find, put, read, scope};
use crate::{Batch, Document, Durability, Expect, Kind, Put, Scope, Store, StoreError};

pub(super) async fn a_document_reads_back_as_it_was_put(store: &Store) {
    let scope = scope(store);
    assert_eq!(find(&scope, Kind::Run, "run_1").await, None);
    commit(&scope, Batch::new()).await;
    let written = Put::new(Kind::Run, "run_1", -7, "{\"ü\": \"\\u0000\"}  ")
        .parent("thread_1")
        .tag("tag")
        .state(vec![0, 255, 10])
        .lock("lock")
        .due_at(5)
        .fence(u64::MAX - 1);
    commit(&scope, Batch::new().put(written).durability(Durability::Written)).await;
    let expected = Document {
        kind: Kind::Run,
        id: "run_1".to_owned(),
        parent: Some("thread_1".to_owned()),
        created_at: -7,
        body: Bytes::from("{\"ü\": \"\\u0000\"}  "),
        state: Some(Bytes::from(vec![0, 255, 10])),
        version: 1,
        fence: u64::MAX - 1,
        due_at: Some(5),
    };
    assert_eq!(read(&scope, Kind::Run, "run_1").await, expected, "written without a sync");

    commit(&scope, Batch::new().put(Put::new(Kind::Thread, "run_1", 1, ""))).await;
    assert_eq!(read(&scope, Kind::Run, "run_1").await, expected, "beside another kind with the same id");
    let bare = read(&scope, Kind::Thread, "run_1").await;
    assert_eq!((bare.parent, bare.body, bare.state, bare.due_at), (None, Bytes::new(), None, None));
    assert_eq!((bare.version, bare.fence), (1, 0));
}

pub(super) async fn each_put_replaces_the_document_and_counts(store: &Store) {
    let scope = scope(store);
    let first = Put::new(Kind::Run, "run_1", 1, "1").parent("a").state("s").due_at(9).fence(3);
    commit(&scope, Batch::new().put(first)).await;
    commit(&scope, Batch::new().put(Put::new(Kind::Run, "run_1", 2, "2"))).await;
    let second = read(&scope, Kind::Run, "run_1").await;
    assert_eq!((second.version, second.fence), (2, 3), "a put without a fence keeps it");
    assert_eq!((second.parent, second.created_at, &second.body[..]), (None, 2, &b"2"[..]));
    assert_eq!((second.state, second.due_at), (None, None));
    let third = Put::new(Kind::Run, "run_1", 2, "3").fence(1);
    commit(&scope, Batch::new().put(third.clone()).put(third)).await;
    let fourth = read(&scope, Kind::Run, "run_1").await;
    assert_eq!((fourth.version, fourth.fence), (4, 1), "each of two puts in a batch counts");
}

pub(super) async fn expectations_are_checked(store: &Store) {
    let scope = scope(store);
    let expecting = |id: &str, expect| Batch::new().put(Put::new(Kind::Run, id, 0, "{}").expect(expect));
    refuses!(
        scope.commit(expecting("run_1", Expect::Version(1))),
        StoreError::Missing { kind: Kind::Run, id } if id == "run_1"
    );
    commit(&scope, expecting("run_1", Expect::Absent)).await;
    refuses!(
        scope.commit(expecting("run_1", Expect::Absent)),
        StoreError::AlreadyExists { kind: Kind::Run, id } if id == "run_1"
    );
    commit(&scope, expecting("run_1", Expect::Version(1))).await;
    for stale in [0, 1, 3] {
        refuses!(
            scope.commit(expecting("run_1", Expect::Version(stale))),
            StoreError::Conflict { kind: Kind::Run, id } if id == "run_1"
        );
        refuses!(
            scope.commit(Batch::new().require_version(Kind::Run, "run_1", stale)),
            StoreError::Conflict { kind: Kind::Run, id } if id == "run_1"
        );
    }
    commit(&scope, Batch::new().require_version(Kind::Run, "run_1", 2)).await;
    for batch in [
        Batch::new().require(Kind::Run, "run_2"),
        Batch::new().require_version(Kind::Run, "run_2", 1),
        Batch::new().require(Kind::Thread, "run_1"),
        Batch::new().delete(Kind::Run, "run_2"),
        Batch::new().delete_tree(Kind::Run, "run_2"),
    ] {
        refuses!(scope.commit(batch), StoreError::Missing { .. });
    }
    commit(&scope, Batch::new().require(Kind::Run, "run_1")).await;
    assert_eq!(read(&scope, Kind::Run, "run_1").await.version, 2, "a refused put counts nothing");
}

pub(super) async fn a_failing_step_undoes_the_whole_batch(store: &Store) {
    let scope = scope(store);
    let held = Put::new(Kind::Run, "held", 0, "{}").lock("lock").parent("thread").due_at(1);
    commit(&scope, put(Kind::Thread, "thread").put(held)).await;
    let before = (read(&scope, Kind::Thread, "thread").await, read(&scope, Kind::Run, "held").await);
    let failures = [
        Batch::new().require(Kind::Run, "absent"),
        Batch::new().delete(Kind::Run, "absent"),
        Batch::new().delete_tree(Kind::Run, "absent"),
        Batch::new().require_unlocked("taken"),
        Batch::new().put(Put::new(Kind::Thread, "thread", 0, "{}").expect(Expect::Absent)),
        Batch::new().put(Put::new(Kind::Run, "other", 0, "{}").lock("taken")),
    ];
    for failure in failures {
        let mut batch = Batch::new()
            .put(Put::new(Kind::Message, "new", 0, "{}"))
            .put(Put::new(Kind::Thread, "thread", 5, "changed"))
            .put(Put::new(Kind::Run, "held", 9, "changed").lock("taken").due_at(2));
        batch.operations.extend(failure.operations);
        let refused = scope.commit(batch.delete_tree(Kind::Thread, "thread")).await;
        assert!(refused.is_err(), "a batch with a failing step is refused");
        let after = (read(&scope, Kind::Thread, "thread").await, read(&scope, Kind::Run, "held").await);
        assert_eq!(after, before, "nothing changed");
        assert_eq!(find(&scope, Kind::Message, "new").await, None, "nothing was added");
    }
    let deletes = Batch::new().delete(Kind::Run, "held").delete_tree(Kind::Thread, "thread");
    refuses!(scope.commit(deletes.require(Kind::Run, "held")), StoreError::Missing { .. });
    assert_eq!(read(&scope, Kind::Run, "held").await, before.1, "what was deleted is back");
    refuses!(scope.commit(Batch::new().require_unlocked("lock")), StoreError::Locked { .. });
    assert_eq!(store.next_due(Kind::Run).await.expect("a read succeeds"), Some(1), "and due as it was");
}

pub(super) async fn steps_see_those_before_them(store: &Store) {
    let scope = scope(store);
    let run = |id: &str| Put::new(Kind::Run, id, 0, "{}");
    commit(&scope, Batch::new().put(run("a").lock("lock")).require(Kind::Run, "a")).await;
    let handover = Batch::new().put(run("a")).require_unlocked("lock").put(run("b").lock("lock"));
    commit(&scope, handover).await;
    let again = Batch::new().delete(Kind::Run, "a").put(run("a").expect(Expect::Absent));
    commit(&scope, again).await;
    assert_eq!(read(&scope, Kind::Run, "a").await.version, 1, "a document put after its delete is new");
    let twice = Batch::new().delete(Kind::Run, "a").delete(Kind::Run, "a");
    refuses!(scope.commit(twice), StoreError::Missing { .. });
    let too_early = Batch::new().put(run("a").lock("lock")).put(run("b"));
    refuses!(scope.commit(too_early), StoreError::Locked { .. });
}

pub(super) async fn a_lock_has_one_holder(store: &Store) {
    let scope = scope(store);
    let locked =
        |id: &str| Batch::new().put(Put::new(Kind::Run, id, 0, "{}").parent("thread").lock("thread"));
    let free = async || scope.commit(Batch::new().require_unlocked("thread")).await;
    commit(&scope, put(Kind::Thread, "thread")).await;
    let releases = [
        ("a put without it", put(Kind::Run, "a")),
        ("a put with another", Batch::new().put(Put::new(Kind::Run, "a", 0, "{}").lock("other"))),
        ("a delete", locked("a").delete(Kind::Run, "a")),
        ("a delete of the tree", locked("a").delete_tree(Kind::Thread, "thread")),
    ];
    for (how, release) in releases {
        commit(&scope, locked("a")).await;
        commit(&scope, locked("a")).await;
        refuses!(
            scope.commit(locked("b")),
            StoreError::Locked { lock, holder } if lock == "thread" && holder == "a"
        );
        refuses!(free(), StoreError::Locked { holder, .. } if holder == "a");
        commit(&scope, release).await;
        assert!(free().await.is_ok(), "{how} frees the lock");
        commit(&scope, locked("b").delete(Kind::Run, "b")).await;
    }
}

pub(super) async fn one_of_many_contradicting_commits_wins(store: &Store) {
    let scope = scope(store);
    let rivals = |batch: fn(usize) -> Batch| race(&scope, batch);
    let locking = |n| Batch::new().put(Put::new(Kind::Run, format!("run_{n}"), 0, "{}").lock("thread"));
    let (won, lost) = rivals(locking).await;
    assert_eq!(won.len(), 1, "one takes the lock");
    let winner = format!("run_{}", won[0]);
    assert!(
        lost.iter().all(|e| matches!(e, StoreError::Locked { holder, .. } if *holder == winner)),
        "{lost:?}"
    );

    let first = |_| Batch::new().put(Put::new(Kind::Thread, "thread", 0, "{}").expect(Expect::Absent));
    let (won, lost) = rivals(first).await;
    assert_eq!(won.len(), 1, "one is first");
    assert!(lost.iter().all(|error| matches!(error, StoreError::AlreadyExists { .. })), "{lost:?}");

    let next =
        |n| Batch::new().put(Put::new(Kind::Thread, "thread", n as i64, "{}").expect(Expect::Version(1)));
    let (won, lost) = rivals(next).await;
    assert_eq!(won.len(), 1, "one is next");
    assert!(lost.iter().all(|error| matches!(error, StoreError::Conflict { .. })), "{lost:?}");
    assert_eq!(read(&scope, Kind::Thread, "thread").await.created_at, won[0] as i64, "and its put is stored");

    let (won, _) = rivals(|_| put(Kind::Thread, "thread")).await;
    assert_eq!(won.len(), 32, "those that agree all happen");
    assert_eq!(read(&scope, Kind::Thread, "thread").await.version, 34, "and none is lost");
}

/// Commits 32 batches at the same time: the numbers of those that were stored, and the other errors.
async fn race(scope: &Scope, batch: fn(usize) -> Batch) -> (Vec<usize>, Vec<StoreError>) {
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let scope = scope.clone();
        let durability = if n % 2 == 0 { Durability::Synced } else { Durability::Written };
        tasks.spawn(async move { scope.commit(batch(n).durability(durability)).await.map(|()| n) });
    }
    let (won, lost): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
    (won.into_iter().flatten().collect(), lost.into_iter().filter_map(Result::err).collect())
}

pub(super) async fn a_deleted_tree_leaves_its_neighbours(store: &Store) {
    let scope = scope(store);
    let put = |kind, id: &str, parent: &str| Put::new(kind, id, 0, "{}").parent(parent);
    let forest = ["a", "b"].into_iter().fold(Batch::new(), |batch, tree| {
        let name = |what: &str| format!("{what}_{tree}");
        batch
            .put(Put::new(Kind::Thread, name("thread"), 0, "{}"))
            .put(put(Kind::Message, &name("message"), &name("thread")))
            .put(put(Kind::Run, &name("run"), &name("thread")))
            .put(put(Kind::RunStep, &name("step"), &name("run")).tag("tag").lock(name("lock")).due_at(1))
    });
    let round = put(Kind::Run, "round", "run_a");
    commit(&scope, forest.put(round).put(put(Kind::Run, "own_parent", "own_parent"))).await;
    commit(&scope, Batch::new().delete_tree(Kind::Run, "run_a")).await;
    for (kind, id) in [(Kind::Run, "run_a"), (Kind::RunStep, "step_a"), (Kind::Run, "round")] {
        assert_eq!(find(&scope, kind, id).await, None, "{id} was below");
    }
    read(&scope, Kind::Message, "message_a").await;
    commit(&scope, Batch::new().delete(Kind::Thread, "thread_b")).await;
    read(&scope, Kind::Run, "run_b").await; // A plain delete leaves what is below.
    commit(&scope, Batch::new().delete_tree(Kind::Run, "own_parent")).await;
    assert_eq!(find(&scope, Kind::Run, "own_parent").await, None, "a circle ends");
    commit(&scope, Batch::new().require_unlocked("lock_a")).await;
    let claimed = store.claim(Kind::RunStep, 1, 2, 10).await.expect("a claim succeeds");
    assert_eq!(
        super::ids(claimed.iter().map(|claim| &claim.document)),
        ["step_b"],
        "no work of deleted ones"
    );
}
