use ropewalk_types::Order;

use super::{commit, ids, scope};
use crate::{Batch, Kind, ListRequest, Put, Scope, Store, StoreError};

/// Five messages of one thread; those of the same second keep the order in which they were stored.
async fn messages(scope: &Scope) {
    let message = |id: &str, created_at| Put::new(Kind::Message, id, created_at, "{}").parent("thread");
    let first = Batch::new().put(message("c", 20)).put(message("e", 30).tag("run"));
    commit(scope, first.put(message("a", 10).tag("run"))).await;
    commit(scope, Batch::new().put(message("d", 20).tag("run"))).await;
    commit(scope, Batch::new().put(message("b", 10).tag("other"))).await;
}

fn request() -> ListRequest {
    ListRequest::new(Kind::Message).parent("thread").order(Order::Asc)
}

/// The ids of a page, and whether there are more.
async fn page(scope: &Scope, request: ListRequest) -> (String, bool) {
    let page = scope.list(&request).await.expect("the list is read");
    (ids(&page.documents).concat(), page.has_more)
}

fn all(ids: &str) -> (String, bool) {
    (ids.to_owned(), false)
}

fn some(ids: &str) -> (String, bool) {
    (ids.to_owned(), true)
}

pub(super) async fn pages_walk_the_list_in_either_order(store: &Store) {
    let scope = scope(store);
    assert_eq!(page(&scope, request()).await, all(""), "an empty list");
    messages(&scope).await;
    assert_eq!(page(&scope, request()).await, all("abcde"), "by time, then as stored");
    assert_eq!(page(&scope, request().order(Order::Desc)).await, all("edcba"));
    assert_eq!(page(&scope, request().limit(5)).await, all("abcde"));
    assert_eq!(page(&scope, request().limit(4)).await, some("abcd"));
    assert_eq!(page(&scope, request().limit(0)).await, some(""));
    assert_eq!(page(&scope, request().limit(usize::MAX)).await, all("abcde"));
    for (order, expected) in [(Order::Asc, ["ab", "cd", "e"]), (Order::Desc, ["ed", "cb", "a"])] {
        let mut next = request().order(order).limit(2);
        for (number, expected) in expected.into_iter().enumerate() {
            assert_eq!(page(&scope, next.clone()).await, (expected.to_owned(), number < 2));
            next = next.after(&expected[expected.len() - 1..]);
        }
        assert_eq!(page(&scope, next).await, all(""), "nothing stands behind the last");
    }
    let document = &scope.list(&request()).await.expect("the list is read").documents[3];
    assert_eq!(scope.get(Kind::Message, "d").await.expect("a read succeeds").as_ref(), Some(document));
}

pub(super) async fn cursors_cut_the_list(store: &Store) {
    let scope = scope(store);
    messages(&scope).await;
    let newest_first = || request().order(Order::Desc);
    assert_eq!(page(&scope, request().after("b")).await, all("cde"));
    assert_eq!(page(&scope, request().before("d")).await, all("abc"));
    assert_eq!(page(&scope, request().before("d").limit(2)).await, some("ab"), "from the start of the list");
    assert_eq!(page(&scope, newest_first().after("d")).await, all("cba"));
    assert_eq!(page(&scope, newest_first().before("b").limit(1)).await, some("e"));
    assert_eq!(page(&scope, request().after("a").before("e")).await, all("bcd"));
    assert_eq!(page(&scope, newest_first().after("e").before("a").limit(2)).await, some("dc"));
    assert_eq!(page(&scope, request().after("b").before("c")).await, all(""), "nothing stands between");
    assert_eq!(page(&scope, request().after("d").before("b")).await, all(""), "crossed cursors");
    assert_eq!(page(&scope, request().after("c").before("c")).await, all(""));
    assert_eq!(page(&scope, request().before("a")).await, all(""));
}

pub(super) async fn lists_are_kept_apart_by_kind_parent_and_tag(store: &Store) {
    let scope = scope(store);
    messages(&scope).await;
    let beside = Batch::new()
        .put(Put::new(Kind::Run, "r", 15, "{}").parent("thread").tag("run"))
        .put(Put::new(Kind::Message, "o", 15, "{}").parent("other").tag("run"))
        .put(Put::new(Kind::Message, "n", 15, "{}").tag("run"))
        .put(Put::new(Kind::Message, "s", 15, "{}").parent(""));
    commit(&scope, beside).await;
    assert_eq!(page(&scope, request()).await, all("abcde"));
    assert_eq!(page(&scope, request().tag("run")).await, all("ade"));
    assert_eq!(page(&scope, request().tag("run").order(Order::Desc).limit(2)).await, some("ed"));
    assert_eq!(page(&scope, request().tag("run").after("b")).await, all("de"), "a cursor needs no tag");
    assert_eq!(page(&scope, request().tag("none")).await, all(""));
    assert_eq!(page(&scope, request().parent("other")).await, all("o"));
    assert_eq!(page(&scope, request().parent("")).await, all("s"), "an empty parent is one");
    assert_eq!(page(&scope, ListRequest::new(Kind::Message)).await, all("n"), "no parent is another");
    assert_eq!(page(&scope, ListRequest::new(Kind::Run).parent("thread")).await, all("r"));
}

pub(super) async fn a_cursor_must_stand_in_the_list(store: &Store) {
    let scope = scope(store);
    messages(&scope).await;
    let elsewhere = Put::new(Kind::Message, "elsewhere", 0, "{}").parent("other");
    commit(&scope, Batch::new().put(elsewhere).put(Put::new(Kind::Run, "run", 0, "{}").parent("thread")))
        .await;
    for stranger in ["absent", "elsewhere", "run"] {
        for request in
            [request().after(stranger), request().before(stranger), request().after("a").before(stranger)]
        {
            refuses!(scope.list(&request), StoreError::UnknownCursor { id } if id == stranger);
        }
    }
}

pub(super) async fn an_update_keeps_its_place_unless_it_says_otherwise(store: &Store) {
    let scope = scope(store);
    messages(&scope).await;
    let message = |id: &str, created_at| Put::new(Kind::Message, id, created_at, "new").parent("thread");
    commit(&scope, Batch::new().put(message("c", 20)).put(message("a", 10).tag("other"))).await;
    assert_eq!(page(&scope, request()).await, all("abcde"));
    assert_eq!(page(&scope, request().tag("run")).await, all("de"));
    assert_eq!(page(&scope, request().tag("other")).await, all("ab"));
    let moved = message("b", 25).parent("other");
    commit(&scope, Batch::new().put(message("c", 40)).put(moved).put(message("f", 40))).await;
    assert_eq!(page(&scope, request()).await, all("adecf"), "the first put decides within a second");
    assert_eq!(page(&scope, request().parent("other")).await, all("b"));
    commit(&scope, Batch::new().delete(Kind::Message, "c").put(message("c", 40))).await;
    assert_eq!(page(&scope, request()).await, all("adefc"), "a document put after its delete is new");
}
