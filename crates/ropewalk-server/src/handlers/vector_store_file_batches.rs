use ropewalk_types::{VectorStoreFileStatus, endpoint};

use super::vector_store_files::places;
use crate::{api_error::ApiError, call::Call, list, reply::Reply, validate};

pub(crate) async fn create(
    call: Call<endpoint::CreateVectorStoreFileBatch>,
) -> Result<Reply<endpoint::CreateVectorStoreFileBatch>, ApiError> {
    validate::create_file_batch(&call.body)?;
    let batch = call.runtime.library().create_batch(&call.scope, &call.path.0, call.body).await?;
    Ok(Reply::json(&batch).poll_again(true))
}

pub(crate) async fn get(
    call: Call<endpoint::GetVectorStoreFileBatch>,
) -> Result<Reply<endpoint::GetVectorStoreFileBatch>, ApiError> {
    let (store, id) = call.path;
    let batch = call.runtime.library().batch(&call.scope, &store, &id).await?;
    let open = batch.status == VectorStoreFileStatus::InProgress;
    Ok(Reply::json(&batch).poll_again(open))
}

pub(crate) async fn cancel(
    call: Call<endpoint::CancelVectorStoreFileBatch>,
) -> Result<Reply<endpoint::CancelVectorStoreFileBatch>, ApiError> {
    let (store, id) = call.path;
    let batch = call.runtime.library().cancel_batch(&call.scope, &store, &id).await?;
    Ok(Reply::json(&batch))
}

pub(crate) async fn list_files(
    call: Call<endpoint::ListVectorStoreFileBatchFiles>,
) -> Result<Reply<endpoint::ListVectorStoreFileBatchFiles>, ApiError> {
    let (store, id) = call.path;
    call.runtime.library().batch(&call.scope, &store, &id).await?;
    list::page(&call.scope, &places(&store, call.query).tag(id.as_str())).await
}
