use ropewalk_types::Order;

use crate::{Document, Kind, ListFilter};

/// Which documents of which list, and how many.
///
/// A list is all documents of one kind below one parent, ordered by `created_at` and then by when they were
/// first stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// The kind of all of them.
    pub kind: Kind,
    /// The parent of all of them; `None` asks for those that have none.
    pub parent: Option<String>,
    /// Only those with this tag; `None` asks for all.
    pub tag: Option<String>,
    /// Most documents of the page.
    pub limit: usize,
    /// Oldest or newest first.
    pub order: Order,
    /// Only what stands behind this document of the list, in the order asked for.
    pub after: Option<String>,
    /// Only what stands ahead of this document of the list, in the order asked for.
    pub before: Option<String>,
    /// Only what passes all of these.
    pub filters: Vec<ListFilter>,
}

impl ListRequest {
    /// The newest 20 of a kind that have no parent.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            parent: None,
            tag: None,
            limit: 20,
            order: Order::Desc,
            after: None,
            before: None,
            filters: Vec::new(),
        }
    }

    /// Those below this object.
    #[must_use]
    pub fn parent(mut self, id: impl Into<String>) -> Self {
        self.parent = Some(id.into());
        self
    }

    /// Those with this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// At most this many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// In this order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Those behind this one.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// Those ahead of this one.
    #[must_use]
    pub fn before(mut self, id: impl Into<String>) -> Self {
        self.before = Some(id.into());
        self
    }

    /// Those that pass this filter, too.
    #[must_use]
    pub fn filter(mut self, filter: ListFilter) -> Self {
        self.filters.push(filter);
        self
    }
}

/// The first documents of what a [`ListRequest`] asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentPage {
    /// In the order asked for.
    pub documents: Vec<Document>,
    /// Whether more of what was asked for stands behind the last.
    pub has_more: bool,
}

impl DocumentPage {
    /// Cuts `documents`, read with one more than `limit`, to a page.
    pub(crate) fn cut(mut documents: Vec<Document>, limit: usize) -> Self {
        let has_more = documents.len() > limit;
        documents.truncate(limit);
        Self { documents, has_more }
    }
}

/// Where a document stands in its list: `(created_at, seq)`.
pub(crate) type Position = (i64, i64);

/// The open interval that a page is read from, whatever the direction.
pub(crate) fn interval(
    order: Order,
    after: Option<Position>,
    before: Option<Position>,
) -> (Position, Position) {
    let (low, high) = match order {
        Order::Asc => (after, before),
        Order::Desc => (before, after),
    };
    (low.unwrap_or((i64::MIN, i64::MIN)), high.unwrap_or((i64::MAX, i64::MAX)))
}
