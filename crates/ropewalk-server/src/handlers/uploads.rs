use ropewalk_types::endpoint;

use crate::{api_error::ApiError, call::Call, filename, form::Form, reply::Reply};

pub(crate) async fn create(
    call: Call<endpoint::CreateUpload>,
) -> Result<Reply<endpoint::CreateUpload>, ApiError> {
    let mut request = call.body;
    request.filename = filename::clean(&request.filename);
    let upload = call.runtime.library().create_upload(&call.scope, request).await?;
    Ok(Reply::json(&upload))
}

pub(crate) async fn add_part(
    call: Call<endpoint::AddUploadPart, Form<endpoint::AddUploadPart>>,
) -> Result<Reply<endpoint::AddUploadPart>, ApiError> {
    let library = call.runtime.library();
    let (upload,) = &call.path;
    let (_, received) = call.body.receive(async || library.add_part(&call.scope, upload).await).await?;
    Ok(Reply::json(&received.incoming.finish(upload).await?))
}

pub(crate) async fn complete(
    call: Call<endpoint::CompleteUpload>,
) -> Result<Reply<endpoint::CompleteUpload>, ApiError> {
    let upload = call.runtime.library().complete_upload(&call.scope, &call.path.0, &call.body).await?;
    Ok(Reply::json(&upload))
}

pub(crate) async fn cancel(
    call: Call<endpoint::CancelUpload>,
) -> Result<Reply<endpoint::CancelUpload>, ApiError> {
    let upload = call.runtime.library().cancel_upload(&call.scope, &call.path.0).await?;
    Ok(Reply::json(&upload))
}
