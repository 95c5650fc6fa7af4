use ropewalk_types::{ListWord, ModelList, endpoint};

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
