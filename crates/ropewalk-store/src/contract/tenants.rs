use super::{commit, find, ids, put, read};
use crate::{Batch, Kind, Lease, ListRequest, Organization, Put, Scope, Store, StoreError};

/// Two organisations of which one name begins with the other, and a run `run` of the first below `thread`.
async fn two(store: &Store) -> (Scope, Scope) {
    let (ada, adam) = (store.scope(Organization::new("ada")), store.scope(Organization::new("adam")));
    let run = Put::new(Kind::Run, "run", 0, "of ada").parent("thread").tag("tag").lock("lock").due_at(1);
    commit(&ada, put(Kind::Thread, "thread").put(run)).await;
    (ada, adam)
}

pub(super) async fn organisations_do_not_see_each_other(store: &Store) {
    let (_, adam) = two(store).await;
    assert_eq!(find(&adam, Kind::Run, "run").await, None);
    let threads = ListRequest::new(Kind::Thread);
    let runs = ListRequest::new(Kind::Run).parent("thread").tag("tag");
    for (request, foreign) in [(threads, "thread"), (runs, "run")] {
        assert_eq!(adam.list(&request).await.expect("the list is read").documents, []);
        refuses!(adam.list(&request.after(foreign)), StoreError::UnknownCursor { id } if id == foreign);
    }
    refuses!(adam.commit(Batch::new().require(Kind::Run, "run")), StoreError::Missing { .. });
    commit(&adam, Batch::new().require_unlocked("lock")).await;
}

pub(super) async fn organisations_do_not_touch_each_other(store: &Store) {
    let (ada, adam) = two(store).await;
    let before = (read(&ada, Kind::Thread, "thread").await, read(&ada, Kind::Run, "run").await);
    refuses!(adam.commit(Batch::new().delete(Kind::Run, "run")), StoreError::Missing { .. });
    refuses!(adam.commit(Batch::new().delete_tree(Kind::Thread, "thread")), StoreError::Missing { .. });
    let same = Put::new(Kind::Run, "run", 5, "of adam").parent("thread").lock("lock").due_at(9);
    commit(&adam, put(Kind::Thread, "thread").put(same)).await;
    assert_eq!(read(&adam, Kind::Run, "run").await.version, 1, "the same id is another document");
    let foreign = Lease {
        organization: adam.organization().clone(),
        kind: Kind::Run,
        id: "run".into(),
        fence: 0,
        version: 1,
    };
    assert_eq!(store.renew(&[foreign], 99).await.expect("a renewal succeeds"), [true]);
    commit(&adam, Batch::new().delete_tree(Kind::Thread, "thread")).await;
    let after = (read(&ada, Kind::Thread, "thread").await, read(&ada, Kind::Run, "run").await);
    assert_eq!(after, before);
    refuses!(ada.commit(Batch::new().require_unlocked("lock")), StoreError::Locked { .. });
}

pub(super) async fn work_is_claimed_for_all_and_scoped_to_its_owner(store: &Store) {
    let (ada, adam) = two(store).await;
    commit(&adam, Batch::new().put(Put::new(Kind::Run, "run", 0, "of adam").due_at(0))).await;
    assert_eq!(store.next_due(Kind::Run).await.expect("a read succeeds"), Some(0));
    let claims = store.claim(Kind::Run, 1, 50, 10).await.expect("a claim succeeds");
    let owners: Vec<_> = claims.iter().map(|claim| claim.scope.organization()).collect();
    assert_eq!(owners, [adam.organization(), ada.organization()]);
    assert_eq!(ids(claims.iter().map(|claim| &claim.document)), ["run", "run"]);
    for claim in &claims {
        let own = claim.scope.get(Kind::Run, "run").await.expect("a read succeeds");
        assert_eq!(own.as_ref(), Some(&claim.document));
    }
}
