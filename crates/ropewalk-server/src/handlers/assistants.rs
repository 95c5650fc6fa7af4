use ropewalk_runs::record;
use ropewalk_store::{Batch, Expect, Kind};
use ropewalk_types::{Assistant, Deleted, Update, endpoint};

use super::{change, find};
use crate::{api_error::ApiError, call::Call, list, reply::Reply, validate};

pub(crate) async fn list(
    call: Call<endpoint::ListAssistants>,
) -> Result<Reply<endpoint::ListAssistants>, ApiError> {
    list::page(&call.scope, &list::request(Kind::Assistant, None, call.query)).await
}

pub(crate) async fn create(
    call: Call<endpoint::CreateAssistant>,
) -> Result<Reply<endpoint::CreateAssistant>, ApiError> {
    validate::create_assistant(&call.body)?;
    let mut assistant = Assistant::new(call.runtime.mint(), call.runtime.now(), call.body);
    let library = call.runtime.library();
    let mut batch = Batch::new();
    if let Some(resources) = &mut assistant.tool_resources {
        batch = library.prepare_resources(&call.scope, assistant.id.as_str(), resources).await?;
    }
    let put = record::put_assistant(&assistant).expect(Expect::Absent);
    let json = put.body.clone();
    call.scope.commit(batch.put(put)).await?;
    library.wake();
    Ok(Reply::bytes(json))
}

pub(crate) async fn get(
    call: Call<endpoint::GetAssistant>,
) -> Result<Reply<endpoint::GetAssistant>, ApiError> {
    find(&call.scope, Kind::Assistant, call.path.0.as_str(), None).await.map(Reply::stored)
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyAssistant>,
) -> Result<Reply<endpoint::ModifyAssistant>, ApiError> {
    validate::modify_assistant(&call.body)?;
    let of = (Kind::Assistant, call.path.0.as_str());
    find(&call.scope, of.0, of.1, None).await?;
    let (mut body, mut also) = (call.body, Batch::new());
    if let Update::Set(resources) = &mut body.tool_resources {
        also = call.runtime.library().prepare_resources(&call.scope, of.1, resources).await?;
    }
    let edit = |assistant: &mut Assistant| assistant.modify(body.clone());
    let json = change(&call.scope, of, None, edit, record::put_assistant, &also).await?;
    call.runtime.library().wake();
    Ok(Reply::bytes(json))
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteAssistant>,
) -> Result<Reply<endpoint::DeleteAssistant>, ApiError> {
    let (id,) = call.path;
    call.scope.commit(Batch::new().delete(Kind::Assistant, id.as_str())).await?;
    Ok(Reply::json(&Deleted { id, object: "assistant.deleted".to_owned(), deleted: true }))
}
