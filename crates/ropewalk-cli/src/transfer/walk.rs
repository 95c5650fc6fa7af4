use std::vec::IntoIter;

use ropewalk_store::{Document, Kind, ListFilter, ListRequest, Scope, StoreError};
use ropewalk_types::{Order, UnixSeconds};

/// Documents of one page in memory.
const PAGE: usize = 100;

/// All documents of one list, oldest first, while others may add and delete.
pub(super) struct Walk<'a> {
    scope: &'a Scope,
    request: ListRequest,
    page: IntoIter<Document>,
    /// Those of the page, to go on behind the last that is still there.
    seen: Vec<String>,
    newest: UnixSeconds,
    has_more: bool,
}

impl<'a> Walk<'a> {
    /// The documents of this kind, below `parent` if there is one.
    pub(super) fn new(scope: &'a Scope, kind: Kind, parent: Option<&str>) -> Self {
        let request = ListRequest::new(kind).order(Order::Asc).limit(PAGE);
        let request = match parent {
            Some(parent) => request.parent(parent),
            None => request,
        };
        let (page, seen) = (Vec::new().into_iter(), Vec::new());
        Self { scope, request, page, seen, newest: UnixSeconds(i64::MIN), has_more: true }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Document>, StoreError> {
        loop {
            if let Some(document) = self.page.next() {
                return Ok(Some(document));
            }
            if !self.has_more {
                return Ok(None);
            }
            self.turn().await?;
        }
    }

    async fn turn(&mut self) -> Result<(), StoreError> {
        let page = loop {
            self.request.after = self.seen.last().cloned();
            match self.scope.list(&self.request).await {
                // It was deleted meanwhile. If the whole page was, rows of one second may come twice, which does no
                // harm; none is left out.
                Err(StoreError::UnknownCursor { .. }) if self.seen.pop().is_some() => {
                    if self.seen.is_empty() {
                        self.request.filters = vec![ListFilter::CreatedFrom(self.newest.0)];
                    }
                }
                page => break page?,
            }
        };
        self.has_more = page.has_more;
        self.seen = page.documents.iter().map(|document| document.id.clone()).collect();
        if let Some(last) = page.documents.last() {
            self.newest = UnixSeconds(last.created_at);
        }
        self.page = page.documents.into_iter();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ropewalk_store::{Batch, Organization, Put, Store};

    use super::*;

    #[tokio::test]
    async fn nothing_is_left_out_while_others_delete() {
        let scope = Store::in_memory().scope(Organization::new("rope"));
        for number in 0..250 {
            let put = Put::new(Kind::Thread, number.to_string(), number / 3, "{}");
            scope.commit(Batch::new().put(put)).await.unwrap();
        }
        let (mut walk, mut seen) = (Walk::new(&scope, Kind::Thread, None), Vec::new());
        while let Some(document) = walk.next().await.unwrap() {
            seen.push(document.id.parse::<u32>().unwrap());
            // The first page as a whole, and the end of the second.
            let gone = match seen.len() {
                100 => 0..100,
                200 => 150..200,
                _ => continue,
            };
            for number in gone {
                scope.commit(Batch::new().delete(Kind::Thread, number.to_string())).await.unwrap();
            }
        }
        assert_eq!(seen, Vec::from_iter(0..250));
    }
}
