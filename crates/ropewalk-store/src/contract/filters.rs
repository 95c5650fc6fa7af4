use ropewalk_types::Order;

use super::{commit, ids, scope};
use crate::{Batch, Kind, ListFilter, ListRequest, Put, Scope, Store, StoreError};

/// Keys that a query or a path put together from text would trip over.
const KEYS: [&str; 6] = ["user", "a.b", "a\"b", "$[0]/~1'--", "", "ключ\u{0}"];

/// Threads `0`, `1`, … a second apart. Thread `n` has `{KEYS[n % 6]: "n % 2"}` for metadata, and if `n` is even
/// a run of the assistant `even`.
async fn threads(scope: &Scope, number: usize) {
    let batch = (0..number).fold(Batch::new(), |batch, n| {
        let body = serde_json::json!({ "metadata": { KEYS[n % 6]: (n % 2).to_string() }, "n": n });
        let thread = Put::new(Kind::Thread, n.to_string(), n as i64, body.to_string());
        let run = Put::new(Kind::Run, format!("run_{n}"), 0, "{}").parent(n.to_string());
        batch.put(thread).put(run.tag(if n % 2 == 0 { "even" } else { "odd" }))
    });
    commit(scope, batch).await;
}

fn request() -> ListRequest {
    ListRequest::new(Kind::Thread).order(Order::Asc).limit(100)
}

async fn found(scope: &Scope, request: ListRequest) -> Vec<String> {
    let page = scope.list(&request).await.expect("the list is read");
    ids(&page.documents).into_iter().map(str::to_owned).collect()
}

pub(super) async fn a_text_is_compared_whatever_its_key(store: &Store) {
    let scope = scope(store);
    threads(&scope, 12).await;
    for (n, key) in KEYS.into_iter().enumerate() {
        let has = |value: &str| request().filter(ListFilter::text(["metadata", key], value));
        assert_eq!(found(&scope, has(&(n % 2).to_string())).await, [n.to_string(), (n + 6).to_string()]);
        assert_eq!(found(&scope, has("2")).await, [""; 0]);
    }
    let odd = [
        Put::new(Kind::Thread, "number", 0, r#"{"metadata":{"user":0}}"#),
        Put::new(Kind::Thread, "array", 0, r#"{"metadata":["0"]}"#),
        Put::new(Kind::Thread, "no JSON", 0, r#"{"metadata":{"user":"0""#),
        Put::new(Kind::Thread, "empty", 0, ""),
        Put::new(Kind::Thread, "text", 0, r#""0""#),
    ];
    commit(&scope, odd.into_iter().fold(Batch::new(), Batch::put)).await;
    let user = request().filter(ListFilter::text(["metadata", "user"], "0"));
    assert_eq!(found(&scope, user).await, ["0", "6"], "text alone is compared");
    assert_eq!(found(&scope, request().filter(ListFilter::text(["metadata", "0"], "0"))).await, [""; 0]);
    assert_eq!(
        found(&scope, request().filter(ListFilter::text([""; 0], "0"))).await,
        ["text"],
        "the whole body"
    );
}

pub(super) async fn times_are_inclusive(store: &Store) {
    let scope = scope(store);
    threads(&scope, 9).await;
    let between =
        |from, until| request().filter(ListFilter::CreatedFrom(from)).filter(ListFilter::CreatedUntil(until));
    assert_eq!(found(&scope, between(3, 5)).await, ["3", "4", "5"]);
    assert_eq!(found(&scope, between(3, 5).order(Order::Desc).limit(2)).await, ["5", "4"]);
    assert_eq!(found(&scope, between(3, 5).after("3")).await, ["4", "5"]);
    assert_eq!(found(&scope, between(3, 5).after("0")).await, ["3", "4", "5"], "a cursor may stand outside");
    assert_eq!(found(&scope, between(3, 5).before("4")).await, ["3"]);
    assert_eq!(found(&scope, between(5, 3)).await, [""; 0]);
    assert_eq!(found(&scope, between(i64::MIN, i64::MAX)).await.len(), 9);
    assert_eq!(found(&scope, request().filter(ListFilter::CreatedFrom(8))).await, ["8"]);
}

pub(super) async fn a_child_is_looked_for_by_kind_and_tag(store: &Store) {
    let scope = scope(store);
    threads(&scope, 4).await;
    let of = |kind, tag: &str| request().filter(ListFilter::child(kind, tag));
    assert_eq!(found(&scope, of(Kind::Run, "even")).await, ["0", "2"]);
    assert_eq!(found(&scope, of(Kind::Message, "even")).await, [""; 0]);
    assert_eq!(found(&scope, of(Kind::Run, "eve")).await, [""; 0]);
    let all = of(Kind::Run, "even").filter(ListFilter::CreatedFrom(1));
    assert_eq!(
        found(&scope, all.filter(ListFilter::text(["metadata", "a\"b"], "0"))).await,
        ["2"],
        "all of them"
    );
    let stranger = store.scope(crate::Organization::new("stranger"));
    let own = Put::new(Kind::Run, "own", 0, "{}").parent("1").tag("even");
    commit(&stranger, Batch::new().put(own).put(Put::new(Kind::Thread, "2", 0, "{}"))).await;
    assert_eq!(found(&scope, of(Kind::Run, "even")).await, ["0", "2"], "its own organisation's");
    assert_eq!(found(&stranger, of(Kind::Run, "even")).await, [""; 0]);
}

pub(super) async fn pages_of_a_filter_show_each_row_once_while_others_write(store: &Store) {
    let scope = scope(store);
    threads(&scope, 2000).await; // Enough that a page cannot be read in one go.
    let zero = |request: ListRequest| request.filter(ListFilter::text(["metadata", "user"], "0"));
    for (order, shift) in [(Order::Asc, 0), (Order::Desc, 1)] {
        let (mut next, mut seen) = (zero(request().order(order).limit(100)), Vec::new());
        for round in 0_i64.. {
            let page = scope.list(&next).await.expect("the list is read");
            seen.extend(page.documents.iter().map(|document| document.created_at));
            let Some(last) = page.documents.last().filter(|_| page.has_more) else { break };
            // Rows come on both sides of the cursor, and rows of both sides that do not pass go.
            let (first, other) = (format!("first {order:?} {round}"), format!("last {order:?} {round}"));
            let write = Batch::new()
                .put(Put::new(Kind::Thread, first, -1, r#"{"metadata":{"user":"1"}}"#))
                .put(Put::new(Kind::Thread, other, 5000, "{}"))
                .delete(Kind::Thread, (6 * round + 1 + shift).to_string())
                .delete(Kind::Thread, (1999 - 6 * round - 2 * shift).to_string());
            next = next.after(last.id.clone());
            commit(&scope, write).await;
        }
        if order == Order::Desc {
            seen.reverse();
        }
        assert_eq!(seen, (0..2000).step_by(6).collect::<Vec<_>>());
    }
    let none = request().filter(ListFilter::text(["metadata", "user"], "none"));
    assert_eq!(found(&scope, none.clone()).await, [""; 0]);
    refuses!(scope.list(&none.after("absent")), StoreError::UnknownCursor { id } if id == "absent");
}
