//! Threads by filter: listed, and deleted many at once. Beyond the original.

use ropewalk_store::{Kind, ListFilter, ListRequest, StoreError};
use ropewalk_types::{AssistantId, Metadata, ThreadId, ThreadsDeleted, endpoint};

use super::threads::delete_one;
use crate::{api_error::ApiError, call::Call, list, reply::Reply};

/// Most threads that one request deletes.
const MOST_DELETED: usize = 1000;

pub(crate) async fn list(
    call: Call<endpoint::ListThreads>,
) -> Result<Reply<endpoint::ListThreads>, ApiError> {
    let query = call.query;
    let page = ropewalk_types::ListQuery {
        limit: query.limit,
        order: query.order,
        after: query.after,
        before: query.before,
    };
    let mut request = list::request(Kind::Thread, None, page);
    request.filters = filters(query.metadata, query.assistant_id, query.created_after, query.created_before);
    list::page(&call.scope, &request).await
}

pub(crate) async fn delete_many(
    call: Call<endpoint::DeleteThreads>,
) -> Result<Reply<endpoint::DeleteThreads>, ApiError> {
    let query = call.query;
    let mut request = ListRequest::new(Kind::Thread).limit(100);
    request.filters = filters(query.metadata, query.assistant_id, query.created_after, query.created_before);
    if request.filters.is_empty() {
        return Err(ApiError::bad_request(
            "Deleting threads needs at least one filter: metadata, assistant_id, created_after or created_before.",
        ));
    }
    let dry_run = query.dry_run.unwrap_or_default();
    let (mut ids, mut has_more) = (Vec::new(), true);
    while has_more && ids.len() < MOST_DELETED {
        let page = call.scope.list(&request).await?;
        has_more = page.has_more;
        request.after = page.documents.last().map(|row| row.id.clone());
        ids.extend(page.documents.into_iter().map(|row| ThreadId::new(row.id)));
    }
    if !dry_run {
        for id in &ids {
            match delete_one(&call.runtime, &call.scope, id).await {
                // Somebody else was faster.
                Err(StoreError::Missing { .. }) => {}
                done => done?,
            }
        }
    }
    Ok(Reply::json(&ThreadsDeleted::new(ids, dry_run, has_more)))
}

fn filters(
    metadata: Option<Metadata>,
    assistant: Option<AssistantId>,
    created_after: Option<i64>,
    created_before: Option<i64>,
) -> Vec<ListFilter> {
    let notes = metadata
        .into_iter()
        .flatten()
        .map(|(key, value)| ListFilter::text(["metadata".to_owned(), key], value));
    let assistant = assistant.map(|id| ListFilter::child(Kind::Run, id.as_str()));
    let from = created_after.map(ListFilter::CreatedFrom);
    let until = created_before.map(ListFilter::CreatedUntil);
    from.into_iter().chain(until).chain(assistant).chain(notes).collect()
}
