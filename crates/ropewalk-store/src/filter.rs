use crate::{Document, Kind, ListRequest, list::Position};

/// What a document must be like to be on a page.
///
/// Times narrow the walk along the list and cost nothing. Any other filter looks at the rows one by one until
/// the page is full or the list ends: the page costs what it passes over. A backend must not keep others
/// waiting meanwhile, and stops when nobody waits for the page any more.
///
/// Exhaustive on purpose: a backend that does not know a filter must fail to compile, not skip it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListFilter {
    /// Created at this time or later, in Unix seconds.
    CreatedFrom(i64),
    /// Created at this time or earlier, in Unix seconds.
    CreatedUntil(i64),
    /// The body has exactly this text at this place.
    Text {
        /// Names of the members that lead there from the whole body, whatever characters they have.
        path: Vec<String>,
        /// The text.
        value: String,
    },
    /// Another document of this kind and tag has it for a parent.
    Child {
        /// The other's kind.
        kind: Kind,
        /// The other's tag.
        tag: String,
    },
}

impl ListFilter {
    /// The body has `value` at `path`: `ListFilter::text(["metadata", "user"], "ada")`.
    pub fn text<P: Into<String>>(path: impl IntoIterator<Item = P>, value: impl Into<String>) -> Self {
        Self::Text { path: path.into_iter().map(Into::into).collect(), value: value.into() }
    }

    /// A document of this kind and tag has it for a parent.
    pub fn child(kind: Kind, tag: impl Into<String>) -> Self {
        Self::Child { kind, tag: tag.into() }
    }
}

impl ListRequest {
    /// Whether rows must be looked at one by one: for backends.
    pub fn sifts(&self) -> bool {
        let by_row =
            |filter: &ListFilter| matches!(filter, ListFilter::Text { .. } | ListFilter::Child { .. });
        self.filters.iter().any(by_row)
    }

    /// The interval between two cursors, cut to the times asked for.
    pub(crate) fn narrow(&self, (mut low, mut high): (Position, Position)) -> (Position, Position) {
        for filter in &self.filters {
            match filter {
                ListFilter::CreatedFrom(from) => low = low.max((*from, i64::MIN)),
                ListFilter::CreatedUntil(until) => high = high.min((*until, i64::MAX)),
                ListFilter::Text { .. } | ListFilter::Child { .. } => {}
            }
        }
        (low, high)
    }

    /// Whether a document of the list passes the filters that look at rows: for backends.
    ///
    /// `has_child` says whether a document of this kind and tag has it for a parent.
    ///
    /// # Errors
    ///
    /// What `has_child` fails with.
    pub fn accepts<E>(
        &self,
        document: &Document,
        has_child: impl Fn(Kind, &str) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut body = None;
        for filter in &self.filters {
            let accepted = match filter {
                ListFilter::CreatedFrom(_) | ListFilter::CreatedUntil(_) => true,
                ListFilter::Text { path, value } => {
                    let json =
                        || serde_json::from_slice::<serde_json::Value>(&document.body).unwrap_or_default();
                    let whole = Some(&*body.get_or_insert_with(json));
                    let found = path.iter().fold(whole, |found, name| found?.as_object()?.get(name));
                    found.and_then(|found| found.as_str()) == Some(value)
                }
                ListFilter::Child { kind, tag } => has_child(*kind, tag)?,
            };
            if !accepted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
