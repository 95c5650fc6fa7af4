use ropewalk_store::{Kind, ListFilter, ListRequest};
use ropewalk_types::{
    Deleted, ListVectorStoreFilesQuery, VectorStoreFile, VectorStoreFileStatus, VectorStoreId, endpoint,
};

use crate::{api_error::ApiError, call::Call, list, reply::Reply, validate};

/// The places of files in a vector store, as a query asks for them: their ids hold both.
pub(crate) fn places(store: &VectorStoreId, query: ListVectorStoreFilesQuery) -> ListRequest {
    let place = |file: String| format!("{store}/{file}");
    let mut request = list::request(
        Kind::VectorStoreFile,
        Some(store.as_str()),
        ropewalk_types::ListQuery {
            limit: query.limit,
            order: query.order,
            after: query.after.map(place),
            before: query.before.map(place),
        },
    );
    if let Some(status) = query.filter {
        request = request.filter(ListFilter::text(["status"], status.as_str()));
    }
    request
}

pub(crate) async fn list(
    call: Call<endpoint::ListVectorStoreFiles>,
) -> Result<Reply<endpoint::ListVectorStoreFiles>, ApiError> {
    let (store,) = call.path;
    call.runtime.library().vector_store(&call.scope, &store).await?;
    list::page(&call.scope, &places(&store, call.query)).await
}

pub(crate) async fn create(
    call: Call<endpoint::CreateVectorStoreFile>,
) -> Result<Reply<endpoint::CreateVectorStoreFile>, ApiError> {
    validate::chunking("chunking_strategy", call.body.chunking_strategy.as_ref())?;
    let file = call.runtime.library().add_to_store(&call.scope, &call.path.0, call.body).await?;
    Ok(Reply::json(&file).poll_again(true))
}

pub(crate) async fn get(
    call: Call<endpoint::GetVectorStoreFile>,
) -> Result<Reply<endpoint::GetVectorStoreFile>, ApiError> {
    let (store, file) = call.path;
    let document = call.runtime.library().file_in_store(&call.scope, &store, &file).await?;
    let open = document.decode::<VectorStoreFile>()?.status == VectorStoreFileStatus::InProgress;
    Ok(Reply::stored(document).poll_again(open))
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyVectorStoreFile>,
) -> Result<Reply<endpoint::ModifyVectorStoreFile>, ApiError> {
    let (store, file) = call.path;
    let file = call.runtime.library().modify_in_store(&call.scope, &store, &file, call.body).await?;
    Ok(Reply::json(&file))
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteVectorStoreFile>,
) -> Result<Reply<endpoint::DeleteVectorStoreFile>, ApiError> {
    let (store, id) = call.path;
    call.runtime.library().remove_from_store(&call.scope, &store, &id).await?;
    Ok(Reply::json(&Deleted { id, object: "vector_store.file.deleted".to_owned(), deleted: true }))
}

pub(crate) async fn content(
    call: Call<endpoint::GetVectorStoreFileContent>,
) -> Result<Reply<endpoint::GetVectorStoreFileContent>, ApiError> {
    let (store, file) = call.path;
    let page = call.runtime.library().content_in_store(&call.scope, &store, &file).await?;
    Ok(Reply::json(&page))
}
