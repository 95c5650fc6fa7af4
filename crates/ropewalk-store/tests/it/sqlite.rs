use std::fs;

use ropewalk_store::{
    Batch, Document, Durability, Kind, ListRequest, Organization, Put, Scope, Store, StoreError, contract,
};

fn scope(store: &Store) -> Scope {
    store.scope(Organization::new("rope"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicUsize::new(0);
    let fresh = async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Store::sqlite(folder.path().join(number.to_string())).unwrap()
    };
    contract::check(fresh).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a folder/that is new");
    let store = Store::sqlite(&path).unwrap();
    let run = Put::new(Kind::Run, "run", 5, "body").parent("thread").state("state").lock("lock").due_at(9);
    let synced = Batch::new().put(Put::new(Kind::Thread, "thread", 1, "{}")).put(run);
    scope(&store).commit(synced).await.unwrap();
    let written = Put::new(Kind::Message, "message", 3, "{}").parent("thread").tag("run");
    scope(&store).commit(Batch::new().put(written).durability(Durability::Written)).await.unwrap();
    let claimed = store.claim(Kind::Run, 9, 100, 1).await.unwrap().remove(0);
    drop(store);
    drop(claimed.scope);
    assert!(!path.join("ropewalk.db-wal").exists(), "the log was moved into the file");

    let store = Store::sqlite(&path).unwrap();
    let scope = scope(&store);
    let released = Document { due_at: Some(0), ..claimed.document };
    assert_eq!(scope.get(Kind::Run, "run").await.unwrap(), Some(released));
    let page = scope.list(&ListRequest::new(Kind::Message).parent("thread").tag("run")).await.unwrap();
    assert_eq!((page.documents.len(), page.has_more), (1, false));
    let locked = scope.commit(Batch::new().require_unlocked("lock")).await;
    assert!(matches!(locked, Err(StoreError::Locked { holder, .. }) if holder == "run"));
}

#[tokio::test]
async fn a_restart_ends_leases_and_nothing_else_that_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::sqlite(folder.path()).unwrap();
    let run = |id: &str| Put::new(Kind::Run, id, 0, "{}");
    let leased = ["claimed", "changed", "renewed", "put"];
    let batch = leased[..3].iter().fold(Batch::new(), |batch, id| batch.put(run(id).due_at(1)));
    scope(&store).commit(batch.put(run("over").due_at(1)).put(run("waits").due_at(1))).await.unwrap();
    let claims = store.claim(Kind::Run, 1, 5_000, 9).await.unwrap();
    assert_eq!(claims.len(), 5);
    let batch = Batch::new()
        .put(run("changed").due_at(5_000).tag("other notes, same lease"))
        .put(run("put").lease_until(7_000))
        .put(run("over"))
        .put(run("waits").due_at(9_000))
        .put(run("later").due_at(8_000));
    scope(&store).commit(batch).await.unwrap();
    let renewed = claims.iter().find(|claim| claim.document.id == "renewed").unwrap().lease();
    assert_eq!(store.renew(&[renewed], 6_000).await.unwrap(), [true]);
    drop((store, claims));

    let beside = Store::sqlite_beside(folder.path()).unwrap();
    assert_eq!(beside.next_due(Kind::Run).await.unwrap(), Some(5_000), "a command ends none");
    drop(beside);
    for expected in [&leased[..], &[]] {
        let store = Store::sqlite(folder.path()).unwrap();
        let claims = store.claim(Kind::Run, 1, 2, 9).await.unwrap();
        let mut ids: Vec<_> = claims.iter().map(|claim| &*claim.document.id).collect();
        ids.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(ids, expected);
        let over = claims.iter().fold(Batch::new(), |batch, claim| batch.put(run(&claim.document.id)));
        scope(&store).commit(over).await.unwrap();
    }
    let store = Store::sqlite(folder.path()).unwrap();
    assert_eq!(store.next_due(Kind::Run).await.unwrap(), Some(8_000));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_process() {
    let (alive, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::sqlite(alive.path()).unwrap();
    for (id, durability) in [("synced", Durability::Synced), ("written", Durability::Written)] {
        let batch = Batch::new().put(Put::new(Kind::Thread, id, 1, "{}")).durability(durability);
        scope(&store).commit(batch).await.unwrap();
    }
    // What the operating system has at this moment is what a kill would leave.
    for file in ["ropewalk.db", "ropewalk.db-wal"] {
        fs::copy(alive.path().join(file), killed.path().join(file)).unwrap();
    }
    let store = Store::sqlite(killed.path()).unwrap();
    let page = scope(&store).list(&ListRequest::new(Kind::Thread)).await.unwrap();
    assert_eq!(
        page.documents.iter().map(|document| &*document.id).collect::<Vec<_>>(),
        ["written", "synced"]
    );
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::sqlite(folder.path()).unwrap();
    let error = Store::sqlite(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("folder `{}` is in use by another server", folder.path().display())
    );
    assert!(!error.is_retryable());
    drop(first);
    Store::sqlite(folder.path()).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ropewalk.db"), "not a database, but long enough for a header ".repeat(100))
        .unwrap();
    assert!(matches!(Store::sqlite(folder.path()), Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn a_log_whose_database_is_gone_is_kept() {
    let (alive, found) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::sqlite(alive.path()).unwrap();
    scope(&store).commit(Batch::new().put(Put::new(Kind::Thread, "thread", 1, "{}"))).await.unwrap();
    let log = found.path().join("ropewalk.db-wal");
    let bytes = fs::copy(alive.path().join("ropewalk.db-wal"), &log).unwrap();
    for _ in 0..2 {
        assert!(matches!(Store::sqlite(found.path()), Err(StoreError::Damaged { .. })));
        fs::write(found.path().join("ropewalk.db"), "").unwrap();
    }
    assert!(matches!(Store::sqlite_beside(found.path()), Err(StoreError::Damaged { .. })));
    assert_eq!(fs::metadata(log).unwrap().len(), bytes);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let store = Store::sqlite(&path).unwrap();
    scope(&store).commit(Batch::new().put(Put::new(Kind::Thread, "thread", 1, "{}"))).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_long_page_is_read_like_a_short_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::sqlite(folder.path()).unwrap();
    let scope = scope(&store);
    let batch =
        (0..500).fold(Batch::new(), |batch, n| batch.put(Put::new(Kind::Thread, format!("{n}"), n, "{}")));
    scope.commit(batch).await.unwrap();
    let page = scope.list(&ListRequest::new(Kind::Thread).limit(400)).await.unwrap();
    assert_eq!((page.documents.len(), page.has_more), (400, true));
    assert_eq!((&*page.documents[0].id, &*page.documents[399].id), ("499", "100"));
}
