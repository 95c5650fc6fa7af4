//! Lists, page after page.

use futures_util::{TryStreamExt, stream};
use ropewalk_types::{self as types, Endpoint, Page};

use crate::{Client, ClientError, ReplyStream};

/// A query that can ask for the page behind a row.
pub(crate) trait PageQuery {
    fn after(&mut self) -> &mut Option<String>;
}

macro_rules! page_queries {
    ($($query:ty),*) => {$(
        impl PageQuery for $query {
            fn after(&mut self) -> &mut Option<String> {
                &mut self.after
            }
        }
    )*};
}

page_queries!(
    types::ListQuery,
    types::ListThreadsQuery,
    types::ListMessagesQuery,
    types::RunStepsQuery,
    types::ListFilesQuery,
    types::ListVectorStoreFilesQuery,
    types::ListChatCompletionsQuery,
    types::ListChatCompletionMessagesQuery
);

/// All rows of a list from `query` on; a page is asked for when the rows before it are read.
pub(crate) fn rows<E, T>(client: &Client, path: E::Path, query: E::Query) -> ReplyStream<T>
where
    E: Endpoint<Body = (), Response = Page<T>>,
    E::Path: Clone,
    E::Query: Clone + PageQuery,
    T: Send + 'static,
{
    let start = Some((client.clone(), path, query));
    let pages = stream::try_unfold(start, async |place| {
        let Some((client, path, mut query)) = place else { return Ok::<_, ClientError>(None) };
        let page = client.call::<E>(path.clone(), query.clone(), ()).await?;
        let here = query.after().take();
        // A server that names the same row again would keep us here for ever.
        let last =
            page.last_id.filter(|id| page.has_more && !page.data.is_empty() && here.as_ref() != Some(id));
        let next = last.map(|id| {
            *query.after() = Some(id);
            (client, path, query)
        });
        Ok(Some((stream::iter(page.data.into_iter().map(Ok)), next)))
    });
    ReplyStream::new(pages.try_flatten())
}
