use proptest::{collection::vec, option, prelude::*, sample::select};
use ropewalk_store::{
    Batch, Claim, Durability, Expect, Kind, Lease, ListFilter, ListRequest, Operation, Organization, Put,
    Store,
};
use ropewalk_types::Order;

/// One call of the store.
#[derive(Debug, Clone)]
enum Call {
    Get(Kind, String),
    List(ListRequest),
    Commit(Batch),
    Claim(Kind, i64, i64, usize),
    Renew(Vec<(Kind, String, u64, u64)>, i64),
    NextDue(Kind),
    Counters(String),
}

/// Few names, so that calls meet.
fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Thread, Kind::Run, Kind::RunStep])
}

fn put() -> impl Strategy<Value = Put> {
    let expect = prop_oneof![
        4 => Just(Expect::Any),
        1 => Just(Expect::Absent),
        1 => (0..4_u64).prop_map(Expect::Version)
    ];
    let names = (name(), option::of(name()), option::weighted(0.3, name()), option::weighted(0.3, name()));
    let numbers = (0..3_i64, option::weighted(0.4, 0..6_i64), option::weighted(0.2, 0..3_u64));
    let put = (kind(), names, numbers, body(), option::of(any::<Vec<u8>>()), expect);
    put.prop_map(|(kind, (id, parent, tag, lock), (created_at, due_at, fence), body, state, expect)| {
        let put = Put::new(kind, id, created_at, body).due_at(due_at).fence(fence).expect(expect);
        Put { parent, tag, lock, state: state.map(Into::into), ..put }
    })
}

/// Some begin with others.
fn counter() -> impl Strategy<Value = String> {
    select(vec!["", "a", "ab", "a/", "b\u{10ffff}"]).prop_map(str::to_owned)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        name().prop_map(|value| format!(r#"{{"a":{{"b":"{value}"}}}}"#).into_bytes())
    ]
}

fn filter() -> impl Strategy<Value = ListFilter> {
    prop_oneof![
        (-1..4_i64).prop_map(ListFilter::CreatedFrom),
        (-1..4_i64).prop_map(ListFilter::CreatedUntil),
        name().prop_map(|value| ListFilter::text(["a", "b"], value)),
        (kind(), name()).prop_map(|(kind, tag)| ListFilter::child(kind, tag)),
    ]
}

fn step() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => put().prop_map(Operation::Put),
        1 => (kind(), name()).prop_map(|(kind, id)| Operation::Delete(kind, id)),
        1 => (kind(), name()).prop_map(|(kind, id)| Operation::DeleteTree(kind, id)),
        1 => (kind(), name()).prop_map(|(kind, id)| Operation::Require(kind, id)),
        1 => (kind(), name(), 0..3_u64).prop_map(|(kind, id, version)| Operation::RequireVersion(kind, id, version)),
        1 => name().prop_map(Operation::RequireUnlocked),
        2 => (counter(), -2..3_i64).prop_map(|(name, delta)| Operation::Add(name, delta)),
        1 => counter().prop_map(Operation::DropCounters),
        1 => (counter(), 0..4_i64).prop_map(|(name, limit)| Operation::RequireAtMost(name, limit)),
    ]
}

fn list() -> impl Strategy<Value = ListRequest> {
    let list = (kind(), option::of(name()), option::weighted(0.3, name()));
    let cut = (0..4_usize, any::<bool>(), option::weighted(0.4, name()), option::weighted(0.3, name()));
    let filters = vec(filter(), 0..3);
    (list, cut, filters).prop_map(|((kind, parent, tag), (limit, newest_first, after, before), filters)| {
        let order = if newest_first { Order::Desc } else { Order::Asc };
        ListRequest { kind, parent, tag, limit, order, after, before, filters }
    })
}

fn call() -> impl Strategy<Value = Call> {
    let batch = (vec(step(), 0..5), select(vec![Durability::Synced, Durability::Written]));
    let lease = (kind(), name(), 0..3_u64, 0..5_u64);
    prop_oneof![
        5 => batch.prop_map(|(operations, durability)| Call::Commit(Batch { operations, durability })),
        2 => list().prop_map(Call::List),
        1 => (kind(), name()).prop_map(|(kind, id)| Call::Get(kind, id)),
        1 => (kind(), 0..9_i64, 0..9_i64, 0..4_usize).prop_map(|(k, now, until, limit)| Call::Claim(k, now, until, limit)),
        1 => (vec(lease, 0..4), 0..9_i64).prop_map(|(leases, until)| Call::Renew(leases, until)),
        1 => kind().prop_map(Call::NextDue),
        1 => counter().prop_map(Call::Counters),
    ]
}

/// What the store answers, errors included.
async fn answer(store: &Store, org: &str, call: Call) -> String {
    let organization = Organization::new(org);
    let scope = store.scope(organization.clone());
    match call {
        Call::Get(kind, id) => format!("{:?}", scope.get(kind, &id).await),
        Call::List(request) => format!("{:?}", scope.list(&request).await),
        Call::Commit(batch) => format!("{:?}", scope.commit(batch).await),
        Call::Claim(kind, now, until, limit) => {
            let claimed = |claim: Claim| (claim.scope.organization().clone(), claim.document);
            let claims = store.claim(kind, now, until, limit).await;
            format!("{:?}", claims.map(|claims| claims.into_iter().map(claimed).collect::<Vec<_>>()))
        }
        Call::Renew(leases, until) => {
            let lease = |(kind, id, fence, version)| Lease {
                organization: organization.clone(),
                kind,
                id,
                fence,
                version,
            };
            let leases: Vec<_> = leases.into_iter().map(lease).collect();
            format!("{:?}", store.renew(&leases, until).await)
        }
        Call::NextDue(kind) => format!("{:?}", store.next_due(kind).await),
        Call::Counters(prefix) => format!("{:?}", scope.counters(&prefix).await),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked of them in whatever order, all backends give the same answers.
    #[test]
    fn backends_agree(calls in vec((select(vec!["x", "y"]), call()), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let (memory, sqlite) = (Store::in_memory(), Store::sqlite(folder.path()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for (org, call) in calls {
                let expected = answer(&memory, org, call.clone()).await;
                prop_assert_eq!(answer(&sqlite, org, call.clone()).await, expected, "{:?}", call);
            }
            Ok(())
        })?;
    }

    /// A page is the list, cut at its cursors, sifted, and cut at its limit.
    #[test]
    fn a_page_is_a_cut_of_the_list(
        times in vec(0..4_i64, 1..12), request in list(), after in option::of(any::<prop::sample::Index>()),
        before in option::of(any::<prop::sample::Index>()),
    ) {
        let mut rows: Vec<_> = times.iter().enumerate().map(|(n, time)| (*time, n, char::from(b'a' + n as u8).to_string())).collect();
        let batch = rows.iter().fold(Batch::new(), |batch, (time, _, id)| {
            batch.put(Put::new(Kind::Thread, id.as_str(), *time, format!(r#"{{"a":{{"b":"{id}"}}}}"#)))
        });
        rows.sort();
        if request.order == Order::Desc {
            rows.reverse();
        }
        let (after, before) = (after.map(|at| at.index(rows.len())), before.map(|at| at.index(rows.len())));
        let id = |at: usize| rows[at].2.clone();
        let request = ListRequest {
            kind: Kind::Thread, parent: None, tag: None, after: after.map(id), before: before.map(id), ..request
        };
        let passes = |(time, _, id): &&(i64, usize, String)| request.filters.iter().all(|filter| match filter {
            ListFilter::CreatedFrom(from) => time >= from,
            ListFilter::CreatedUntil(until) => time <= until,
            ListFilter::Text { value, .. } => value == id,
            ListFilter::Child { .. } => false,
        });
        let cut = rows.get(after.map_or(0, |at| at + 1)..before.unwrap_or(rows.len())).unwrap_or_default();
        let wanted: Vec<_> = cut.iter().filter(passes).collect();
        let store = Store::in_memory();
        let scope = store.scope(Organization::new("rope"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let page = runtime.block_on(async {
            scope.commit(batch).await.unwrap();
            scope.list(&request).await.unwrap()
        });
        let ids: Vec<_> = page.documents.iter().map(|document| &document.id).collect();
        prop_assert_eq!(ids, wanted.iter().map(|row| &row.2).take(request.limit).collect::<Vec<_>>());
        prop_assert_eq!(page.has_more, wanted.len() > request.limit);
    }
}
