use ropewalk_store::{Kind, ListRequest};
use ropewalk_types::{Deleted, endpoint};

use crate::{api_error::ApiError, call::Call, form::Form, list, reply::Reply};

/// Rows on a page that asks for no number.
const DEFAULT_LIMIT: i64 = 10_000;

pub(crate) async fn list(call: Call<endpoint::ListFiles>) -> Result<Reply<endpoint::ListFiles>, ApiError> {
    let query = call.query;
    let mut request = ListRequest::new(Kind::File).order(query.order.unwrap_or_default());
    request.limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default();
    request.tag = query.purpose;
    request.after = query.after;
    list::page(&call.scope, &request).await
}

pub(crate) async fn create(
    call: Call<endpoint::CreateFile, Form<endpoint::CreateFile>>,
) -> Result<Reply<endpoint::CreateFile>, ApiError> {
    let library = call.runtime.library();
    let (request, received) = call.body.receive(async || library.add_file(&call.scope).await).await?;
    let file = received.incoming.finish(&received.filename, request.purpose.into(), request.expires_after);
    Ok(Reply::json(&file.await?))
}

pub(crate) async fn get(call: Call<endpoint::GetFile>) -> Result<Reply<endpoint::GetFile>, ApiError> {
    let document = call.runtime.library().file(&call.scope, &call.path.0).await?;
    Ok(Reply::stored(document))
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteFile>,
) -> Result<Reply<endpoint::DeleteFile>, ApiError> {
    let (id,) = call.path;
    call.runtime.library().delete_file(&call.scope, &id).await?;
    Ok(Reply::json(&Deleted { id, object: "file".to_owned(), deleted: true }))
}

pub(crate) async fn content(
    call: Call<endpoint::DownloadFile>,
) -> Result<Reply<endpoint::DownloadFile>, ApiError> {
    let (_, bytes) = call.runtime.library().download(&call.scope, &call.path.0).await?;
    Ok(Reply::file(bytes))
}
