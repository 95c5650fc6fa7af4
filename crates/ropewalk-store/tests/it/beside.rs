use std::fs;

use ropewalk_store::{Batch, Kind, ListRequest, Organization, Put, Scope, Store, StoreError};
use tokio::task::JoinSet;

fn scope(store: &Store) -> Scope {
    store.scope(Organization::system())
}

fn key(id: impl Into<String>) -> Batch {
    Batch::new().put(Put::new(Kind::ApiKey, id, 0, "{}")).add("keys", 1)
}

#[tokio::test]
async fn a_command_and_a_server_see_at_once_what_the_other_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Store::sqlite(folder.path()).unwrap();
    let command = Store::sqlite_beside(folder.path()).unwrap();
    for round in 0..20 {
        for (writer, reader) in [(&server, &command), (&command, &server)] {
            let id = format!("{round}");
            scope(writer).commit(key(&*id)).await.unwrap();
            assert!(scope(reader).get(Kind::ApiKey, &id).await.unwrap().is_some());
            scope(reader).commit(Batch::new().delete(Kind::ApiKey, &*id)).await.unwrap();
            assert!(scope(writer).get(Kind::ApiKey, &id).await.unwrap().is_none());
        }
    }
    drop(command);
    assert_eq!(scope(&server).counter("keys").await.unwrap(), 40, "the server goes on");
    assert!(matches!(Store::sqlite(folder.path()), Err(StoreError::InUse { .. })), "and has the folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_write_at_the_same_time_is_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [Store::sqlite(folder.path()).unwrap(), Store::sqlite_beside(folder.path()).unwrap()];
    let mut tasks = JoinSet::new();
    for (name, store) in ["server", "command"].into_iter().zip(&stores) {
        for task in 0..8 {
            let scope = scope(store);
            tasks.spawn(async move {
                for n in 0..25 {
                    scope.commit(key(format!("{name} {task} {n}"))).await.unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    for store in &stores {
        assert_eq!(scope(store).counter("keys").await.unwrap(), 400);
        let all = scope(store).list(&ListRequest::new(Kind::ApiKey).limit(1000)).await.unwrap();
        assert_eq!(all.documents.len(), 400);
    }
}

#[tokio::test]
async fn a_command_makes_a_store_only_if_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let error = Store::sqlite_beside(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("folder `{}` has no database", path.display()));
    assert!(!path.exists());
    for _ in 0..2 {
        let command = Store::sqlite_beside_or_new(&path).unwrap();
        scope(&command).commit(key("first")).await.unwrap();
    }
    let server = Store::sqlite(&path).unwrap();
    assert_eq!(scope(&server).counter("keys").await.unwrap(), 2);
}

#[tokio::test]
async fn a_command_of_a_newer_release_leaves_a_running_server_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ropewalk.db"), "").unwrap(); // The oldest of all schemas: none.
    let lock = fs::File::create(folder.path().join("ropewalk.lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(Store::sqlite_beside(folder.path()), Err(StoreError::InUse { .. })));
    drop(lock);
    let command = Store::sqlite_beside(folder.path()).unwrap();
    scope(&command).commit(key("first")).await.unwrap();
    Store::sqlite(folder.path()).unwrap();
}
