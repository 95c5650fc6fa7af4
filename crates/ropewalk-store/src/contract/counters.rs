use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{commit, put, scope};
use crate::{Batch, Kind, Organization, Scope, Store, StoreError};

async fn counters(scope: &Scope, prefix: &str) -> BTreeMap<String, i64> {
    scope.counters(prefix).await.expect("counters are read")
}

async fn counter(scope: &Scope, name: &str) -> i64 {
    scope.counter(name).await.expect("a counter is read")
}

fn all<const N: usize>(counters: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counters.map(|(name, value)| (name.to_owned(), value)).into()
}

pub(super) async fn counters_add_up(store: &Store) {
    let scope = scope(store);
    assert_eq!(counters(&scope, "").await, all([]));
    assert_eq!(counter(&scope, "a").await, 0);
    commit(&scope, Batch::new().add("vs_1/done", 3).add("vs_1/failed", -1).add("vs_1/done", 2)).await;
    commit(&scope, Batch::new().add("vs_1/done", -4).add("vs_10/done", 7).add("vs_1", 8).add("vs_2/done", 9))
        .await;
    assert_eq!(counters(&scope, "vs_1/").await, all([("vs_1/done", 1), ("vs_1/failed", -1)]));
    assert_eq!(counters(&scope, "vs_2").await, all([("vs_2/done", 9)]));
    assert_eq!(counters(&scope, "").await.len(), 5);
    assert_eq!((counter(&scope, "vs_1/done").await, counter(&scope, "vs_1/d").await), (1, 0));
    commit(&scope, Batch::new().add("vs_1/failed", 1).add("new", 0)).await;
    assert_eq!(counters(&scope, "vs_1/").await, all([("vs_1/done", 1)]), "what stands at 0 is not there");
    assert_eq!(counter(&scope, "new").await, 0);
    let ends = Batch::new().add("most", i64::MAX).add("most", 5).add("least", i64::MIN).add("least", -1);
    commit(&scope, ends).await;
    assert_eq!((counter(&scope, "most").await, counter(&scope, "least").await), (i64::MAX, i64::MIN));
}

pub(super) async fn counters_are_part_of_their_batch(store: &Store) {
    let scope = scope(store);
    commit(&scope, Batch::new().add("old/a", 5)).await;
    let refused =
        put(Kind::Thread, "thread").add("old/a", 1).add("new", 1).drop_counters("old/").add("old/a", 3);
    refuses!(scope.commit(refused.require(Kind::Run, "absent")), StoreError::Missing { .. });
    assert_eq!(counters(&scope, "").await, all([("old/a", 5)]));
    commit(&scope, Batch::new().require_at_most("old/a", 5).require_at_most("none", 0)).await;
    let too_much = put(Kind::Thread, "thread").add("old/a", 1).require_at_most("old/a", 5);
    refuses!(
        scope.commit(too_much),
        StoreError::OverLimit { counter, limit: 5 } if counter == "old/a"
    );
    assert_eq!(counter(&scope, "old/a").await, 5, "what would go over is not counted");
    refuses!(scope.commit(Batch::new().require_at_most("none", -1)), StoreError::OverLimit { .. });
}

pub(super) async fn counters_are_dropped_by_prefix(store: &Store) {
    let scope = scope(store);
    let stranger = store.scope(Organization::new("stranger"));
    let names = ["a", "a/", "a/1", "a/\u{10ffff}\u{10ffff}", "a0", "%", "b"];
    for scope in [&scope, &stranger] {
        commit(scope, names.into_iter().fold(Batch::new(), |batch, name| batch.add(name, 1))).await;
    }
    commit(&scope, Batch::new().drop_counters("none").drop_counters("a/").add("a/2", 4)).await;
    assert_eq!(counters(&scope, "").await, all([("%", 1), ("a", 1), ("a/2", 4), ("a0", 1), ("b", 1)]));
    assert_eq!(counters(&scope, "%").await, all([("%", 1)]), "no character is special");
    commit(&scope, Batch::new().drop_counters("")).await;
    assert_eq!(counters(&scope, "").await, all([]));
    assert_eq!(counters(&stranger, "").await.len(), names.len(), "its own alone");
}

pub(super) async fn many_who_count_at_once_lose_nothing(store: &Store) {
    let scope = scope(store);
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let scope = scope.clone();
        let quota = Batch::new().add("used", 10).require_at_most("used", 250);
        tasks.spawn(async move {
            commit(&scope, Batch::new().add("sum", n).add("number", 1)).await;
            scope.commit(quota).await.is_ok()
        });
    }
    let granted = tasks.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 25, "as many as fit");
    assert_eq!(counters(&scope, "").await, all([("number", 64), ("sum", 63 * 64 / 2), ("used", 250)]));
}

pub(super) async fn a_reply_has_a_thousand_counters_at_most(store: &Store) {
    let scope = scope(store);
    let batch = (0..1005).fold(Batch::new(), |batch, n| batch.add(format!("{n:04}"), 1));
    commit(&scope, batch).await;
    let found = counters(&scope, "").await;
    assert_eq!(found.len(), 1000);
    assert_eq!(found.last_key_value(), Some((&"0999".to_owned(), &1)), "the first by name");
}
