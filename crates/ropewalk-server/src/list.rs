use bytes::Bytes;
use ropewalk_store::{Document, DocumentPage, Kind, ListRequest, Scope, StoreError};
use ropewalk_types::{Endpoint, ListQuery};

use crate::{api_error::ApiError, reply::Reply};

/// Rows on a page that asks for no number.
const DEFAULT_LIMIT: i64 = 20;

/// The list that a query asks for.
pub(crate) fn request(kind: Kind, parent: Option<&str>, query: ListQuery) -> ListRequest {
    ListRequest {
        parent: parent.map(str::to_owned),
        limit: usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default(),
        order: query.order.unwrap_or_default(),
        after: query.after,
        before: query.before,
        ..ListRequest::new(kind)
    }
}

/// Answers with a page of stored objects, byte for byte as they are stored.
pub(crate) async fn page<E: Endpoint>(scope: &Scope, request: &ListRequest) -> Result<Reply<E>, ApiError> {
    page_of(scope, request, |row| Ok(row.body.clone())).await
}

/// Answers with a page of objects, each as `wire` writes it.
pub(crate) async fn page_of<E: Endpoint>(
    scope: &Scope,
    request: &ListRequest,
    wire: impl Fn(&Document) -> Result<Bytes, StoreError>,
) -> Result<Reply<E>, ApiError> {
    let page = scope.list(request).await?;
    let bodies: Vec<Bytes> = page.documents.iter().map(wire).collect::<Result<_, _>>()?;
    Ok(Reply::bytes(page_json(&page, &bodies)))
}

/// A page around bodies that are JSON already.
fn page_json(page: &DocumentPage, bodies: &[Bytes]) -> Bytes {
    let length: usize = bodies.iter().map(|body| body.len() + 1).sum();
    let mut json = Vec::with_capacity(length + 160);
    json.extend_from_slice(br#"{"object":"list","data":["#);
    for (position, body) in bodies.iter().enumerate() {
        if position > 0 {
            json.push(b',');
        }
        json.extend_from_slice(body);
    }
    // What lies below another object in several places has an id that names the place, as a path.
    let name = |row: &Document| row.id.rsplit('/').next().unwrap_or_default().to_owned();
    let id = |document: Option<&Document>| serde_json::json!(document.map(name));
    let (first, last) = (id(page.documents.first()), id(page.documents.last()));
    let end = format!(r#"],"first_id":{first},"last_id":{last},"has_more":{}}}"#, page.has_more);
    json.extend_from_slice(end.as_bytes());
    json.into()
}
