use http::StatusCode;
use ropewalk_types::{ErrorObject, ListWord, ModelList, endpoint};

use crate::{api_error::ApiError, call::Call, reply::Reply};

pub(crate) async fn list(call: Call<endpoint::ListModels>) -> Result<Reply<endpoint::ListModels>, ApiError> {
    let data = call.runtime.model().models().await?;
    Ok(Reply::json(&ModelList { object: ListWord::Word, data }))
}

pub(crate) async fn get(call: Call<endpoint::GetModel>) -> Result<Reply<endpoint::GetModel>, ApiError> {
    let (id,) = call.path;
    let model = call.runtime.model().model(&id).await?;
    model.map(|model| Reply::json(&model)).ok_or_else(|| ApiError::unknown_model(id.as_str()))
}

/// Models belong to their host: what is there cannot be deleted here, by nobody.
pub(crate) async fn delete(
    call: Call<endpoint::DeleteModel>,
) -> Result<Reply<endpoint::DeleteModel>, ApiError> {
    let (id,) = call.path;
    if call.runtime.model().model(&id).await?.is_none() {
        return Err(ApiError::unknown_model(id.as_str()));
    }
    let message = format!("The model `{id}` cannot be deleted: it belongs to the host that offers it.");
    Err(ApiError::new(StatusCode::FORBIDDEN, ErrorObject::invalid_request(message)))
}
