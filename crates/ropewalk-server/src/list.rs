use bytes::Bytes;
use ropewalk_store::{DocumentPage, Kind, ListRequest, Scope};
use ropewalk_types::{Endpoint, ListMessagesQuery};

use crate::{api_error::ApiError, reply::Reply};

/// Rows on a page that asks for no number, and the most that one may ask for.
const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// Answers with a page of stored objects, byte for byte as they are stored.
pub(crate) async fn list<E: Endpoint>(
    scope: &Scope,
    kind: Kind,
    parent: Option<&str>,
    query: impl Into<ListMessagesQuery>,
) -> Result<Reply<E>, ApiError> {
    let query = query.into();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let out_of_bounds = |bound: &str, code: &str, limit: i64, side: &str| {
        let message = format!(
            "Invalid 'limit': integer {side} value. Expected a value {bound}, but got {limit} instead."
        );
        ApiError::bad_field("limit", code, message)
    };
    if limit > MAX_LIMIT {
        return Err(out_of_bounds("<= 100", "integer_above_max_value", limit, "above maximum"));
    }
    if limit < 1 {
        return Err(out_of_bounds(">= 1", "integer_below_min_value", limit, "below minimum"));
    }
    let page = scope
        .list(&ListRequest {
            kind,
            parent: parent.map(str::to_owned),
            tag: query.run_id.map(|run| run.as_str().to_owned()),
            limit: usize::try_from(limit).unwrap_or_default(),
            order: query.order.unwrap_or_default(),
            after: query.after,
            before: query.before,
        })
        .await?;
    Ok(Reply::bytes(page_json(&page)))
}

/// A page around bodies that are JSON already.
fn page_json(page: &DocumentPage) -> Bytes {
    let bodies: usize = page.documents.iter().map(|document| document.body.len() + 1).sum();
    let mut json = Vec::with_capacity(bodies + 160);
    json.extend_from_slice(br#"{"object":"list","data":["#);
    for (position, document) in page.documents.iter().enumerate() {
        if position > 0 {
            json.push(b',');
        }
        json.extend_from_slice(&document.body);
    }
    let id = |document: Option<&ropewalk_store::Document>| serde_json::json!(document.map(|row| &row.id));
    let (first, last) = (id(page.documents.first()), id(page.documents.last()));
    let end = format!(r#"],"first_id":{first},"last_id":{last},"has_more":{}}}"#, page.has_more);
    json.extend_from_slice(end.as_bytes());
    json.into()
}
