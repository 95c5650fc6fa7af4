use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    ops::Bound,
};

use ropewalk_types::Order;

use crate::{
    Document, Expect, Kind, Lease, ListRequest, Operation, Organization, Put, StoreError, list::Position,
};

/// One document with what only the store knows of it.
#[derive(Clone)]
pub(super) struct Row {
    organization: Organization,
    pub(super) document: Document,
    tag: Option<String>,
    lock: Option<String>,
}

/// Where a document stands in a list: organisation, kind, parent, tag (`None` in the list of all), position.
type Place = (Organization, Kind, Option<String>, Option<String>, i64, i64);

/// What was there before a change. Put back, the newest first, all of them undo a batch.
pub(super) enum Old {
    Row(i64, Option<Row>),
    Counter(String, i64),
}

/// Rows by `seq`, and one index for each way to find them; only [`Tables::replace`] changes any of these.
#[derive(Default)]
pub(super) struct Tables {
    rows: BTreeMap<i64, Row>,
    keys: HashMap<(Organization, Kind, String), i64>,
    lists: BTreeSet<Place>,
    locks: HashMap<(Organization, String), i64>,
    due: BTreeSet<(Kind, i64, i64)>,
    /// None that stands at 0.
    counters: BTreeMap<(Organization, String), i64>,
}

impl Tables {
    pub(super) fn find(&self, org: &Organization, kind: Kind, id: &str) -> Option<(i64, &Row)> {
        let seq = *self.keys.get(&(org.clone(), kind, id.to_owned()))?;
        self.rows.get(&seq).map(|row| (seq, row))
    }

    /// The documents between two positions, one more than the limit if there are so many.
    pub(super) fn slice(
        &self,
        org: &Organization,
        request: &ListRequest,
        low: Position,
        high: Position,
    ) -> Vec<Document> {
        if low >= high {
            return Vec::new();
        }
        let place = |(created_at, seq)| -> Bound<Place> {
            let ListRequest { kind, parent, tag, .. } = request;
            Bound::Excluded((org.clone(), *kind, parent.clone(), tag.clone(), created_at, seq))
        };
        let places = self.lists.range((place(low), place(high)));
        let document = |place: &Place| {
            let document = &self.rows.get(&place.5)?.document;
            self.accepts(org, request, document).then(|| document.clone())
        };
        let limit = request.limit.saturating_add(1);
        match request.order {
            Order::Asc => places.filter_map(document).take(limit).collect(),
            Order::Desc => places.rev().filter_map(document).take(limit).collect(),
        }
    }

    fn accepts(&self, org: &Organization, request: &ListRequest, document: &Document) -> bool {
        let has_child = |kind, tag: &str| -> Result<bool, Infallible> {
            let parent = Some(document.id.clone());
            let place = |end| (org.clone(), kind, parent.clone(), Some(tag.to_owned()), end, end);
            Ok(self.lists.range(place(i64::MIN)..=place(i64::MAX)).next().is_some())
        };
        request.accepts(document, has_child).unwrap_or_else(|never| match never {})
    }

    /// Does one step of a batch, or changes nothing.
    pub(super) fn apply(
        &mut self,
        org: &Organization,
        step: Operation,
        undo: &mut Vec<Old>,
    ) -> Result<(), StoreError> {
        match step {
            Operation::Put(put) => return self.put(org, put, undo),
            Operation::Delete(kind, id) => {
                let seq = self.require(org, kind, id)?;
                undo.push(Old::Row(seq, self.replace(seq, None)));
            }
            Operation::DeleteTree(kind, id) => {
                let root = self.require(org, kind, id)?;
                for seq in self.tree(org, root) {
                    undo.push(Old::Row(seq, self.replace(seq, None)));
                }
            }
            Operation::Require(kind, id) => drop(self.require(org, kind, id)?),
            Operation::RequireVersion(kind, id, version) => {
                let stored = self.find(org, kind, &id).map(|(_, row)| row.document.version);
                Expect::Version(version).check(kind, &id, stored)?;
            }
            Operation::RequireUnlocked(lock) => self.require_unlocked(org, &lock, None)?,
            Operation::Add(name, delta) => {
                let old = self.counter(org, &name);
                self.set_counter(org, &name, old.saturating_add(delta));
                undo.push(Old::Counter(name, old));
            }
            Operation::DropCounters(prefix) => {
                for (name, old) in self.counters(org, &prefix).collect::<Vec<_>>() {
                    self.set_counter(org, &name, 0);
                    undo.push(Old::Counter(name, old));
                }
            }
            Operation::RequireAtMost(counter, limit) => {
                if self.counter(org, &counter) > limit {
                    return Err(StoreError::OverLimit { counter, limit });
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, org: &Organization, put: Put, undo: &mut Vec<Old>) -> Result<(), StoreError> {
        let found = self.find(org, put.kind, &put.id);
        let (version, fence) = found.map_or((0, 0), |(_, row)| (row.document.version, row.document.fence));
        put.expect.check(put.kind, &put.id, found.map(|_| version))?;
        let found = found.map(|(seq, _)| seq);
        if let Some(lock) = &put.lock {
            self.require_unlocked(org, lock, found)?;
        }
        let seq = found.unwrap_or_else(|| self.rows.keys().next_back().map_or(1, |last| last + 1));
        let document = Document {
            kind: put.kind,
            id: put.id,
            parent: put.parent,
            created_at: put.created_at,
            body: put.body,
            state: put.state,
            version: version + 1,
            fence: put.fence.unwrap_or(fence),
            due_at: put.due_at,
        };
        let row = Row { organization: org.clone(), document, tag: put.tag, lock: put.lock };
        undo.push(Old::Row(seq, self.replace(seq, Some(row))));
        Ok(())
    }

    fn require(&self, org: &Organization, kind: Kind, id: String) -> Result<i64, StoreError> {
        let found = self.find(org, kind, &id).map(|(seq, _)| seq);
        found.ok_or(StoreError::Missing { kind, id })
    }

    fn require_unlocked(&self, org: &Organization, lock: &str, own: Option<i64>) -> Result<(), StoreError> {
        match self.locks.get(&(org.clone(), lock.to_owned())) {
            Some(seq) if Some(*seq) != own => {
                let holder = self.rows.get(seq).map(|row| row.document.id.clone()).unwrap_or_default();
                Err(StoreError::Locked { lock: lock.to_owned(), holder })
            }
            _ => Ok(()),
        }
    }

    /// `root` and all below it.
    fn tree(&self, org: &Organization, root: i64) -> BTreeSet<i64> {
        let mut tree = BTreeSet::from([root]);
        let mut unseen = vec![root];
        while let Some(parent) = unseen.pop().and_then(|seq| self.rows.get(&seq)) {
            for kind in Kind::ALL.iter().filter(|_| parent.document.kind.has_children()) {
                let place = |end| (org.clone(), *kind, Some(parent.document.id.clone()), None, end, end);
                let children = self.lists.range(place(i64::MIN)..=place(i64::MAX)).map(|place| place.5);
                unseen.extend(children.filter(|child| tree.insert(*child)));
            }
        }
        tree
    }

    pub(super) fn claim(
        &mut self,
        kind: Kind,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Vec<(Organization, Document)> {
        let due = self.due.range((kind, i64::MIN, i64::MIN)..=(kind, now_ms, i64::MAX));
        let due: Vec<i64> = due.take(limit).map(|(.., seq)| *seq).collect();
        due.into_iter()
            .filter_map(|seq| {
                let mut row = self.rows.get(&seq)?.clone();
                row.document.due_at = Some(lease_until_ms);
                row.document.fence = row.document.fence.wrapping_add(1);
                row.document.version = row.document.version.wrapping_add(1);
                let claimed = (row.organization.clone(), row.document.clone());
                self.replace(seq, Some(row));
                Some(claimed)
            })
            .collect()
    }

    pub(super) fn renew(&mut self, lease: &Lease, until_ms: i64) -> bool {
        let Some((seq, row)) = self.find(&lease.organization, lease.kind, &lease.id) else { return false };
        let holds = (row.document.fence, row.document.version) == (lease.fence, lease.version)
            && row.document.due_at.is_some();
        if holds {
            let mut row = row.clone();
            row.document.due_at = Some(until_ms);
            self.replace(seq, Some(row));
        }
        holds
    }

    pub(super) fn next_due(&self, kind: Kind) -> Option<i64> {
        let mut due = self.due.range((kind, i64::MIN, i64::MIN)..=(kind, i64::MAX, i64::MAX));
        due.next().map(|(_, due_at, _)| *due_at)
    }

    pub(super) fn counters(&self, org: &Organization, prefix: &str) -> impl Iterator<Item = (String, i64)> {
        let named = self.counters.range((org.clone(), prefix.to_owned())..);
        named
            .take_while(move |((owner, name), _)| owner == org && name.starts_with(prefix))
            .map(|((_, name), value)| (name.clone(), *value))
    }

    fn counter(&self, org: &Organization, name: &str) -> i64 {
        self.counters.get(&(org.clone(), name.to_owned())).copied().unwrap_or_default()
    }

    fn set_counter(&mut self, org: &Organization, name: &str, value: i64) {
        let key = (org.clone(), name.to_owned());
        match value {
            0 => self.counters.remove(&key),
            value => self.counters.insert(key, value),
        };
    }

    pub(super) fn restore(&mut self, org: &Organization, old: Old) {
        match old {
            Old::Row(seq, row) => drop(self.replace(seq, row)),
            Old::Counter(name, value) => self.set_counter(org, &name, value),
        }
    }

    /// Puts `row` in the place of what was there, indexes and all, and returns that.
    pub(super) fn replace(&mut self, seq: i64, row: Option<Row>) -> Option<Row> {
        let old = self.rows.remove(&seq);
        if let Some(old) = &old {
            let Row { organization, document, lock, .. } = old;
            self.keys.remove(&(organization.clone(), document.kind, document.id.clone()));
            for place in places(seq, old) {
                self.lists.remove(&place);
            }
            if let Some(lock) = lock {
                self.locks.remove(&(organization.clone(), lock.clone()));
            }
            if let Some(due_at) = document.due_at {
                self.due.remove(&(document.kind, due_at, seq));
            }
        }
        if let Some(row) = row {
            let Row { organization, document, lock, .. } = &row;
            self.keys.insert((organization.clone(), document.kind, document.id.clone()), seq);
            self.lists.extend(places(seq, &row));
            self.locks.extend(lock.clone().map(|lock| ((organization.clone(), lock), seq)));
            self.due.extend(document.due_at.map(|due_at| (document.kind, due_at, seq)));
            self.rows.insert(seq, row);
        }
        old
    }
}

/// A row stands in the list of all, and in the list of its tag.
fn places(seq: i64, row: &Row) -> impl Iterator<Item = Place> {
    let Row { organization, document, tag, .. } = row;
    let place = move |tag| {
        (organization.clone(), document.kind, document.parent.clone(), tag, document.created_at, seq)
    };
    std::iter::once(None).chain(tag.clone().map(Some)).map(place)
}
