use ropewalk_runs::record;
use ropewalk_store::{Batch, Expect, Kind, StoreError};
use ropewalk_types::{Deleted, Message, endpoint};

use super::{change, find};
use crate::{api_error::ApiError, call::Call, list, reply::Reply, validate};

pub(crate) async fn list(
    call: Call<endpoint::ListMessages>,
) -> Result<Reply<endpoint::ListMessages>, ApiError> {
    let thread = call.path.0.as_str();
    find(&call.scope, Kind::Thread, thread, None).await?;
    list::list(&call.scope, Kind::Message, Some(thread), call.query).await
}

pub(crate) async fn create(
    call: Call<endpoint::CreateMessage>,
) -> Result<Reply<endpoint::CreateMessage>, ApiError> {
    validate::create_message(&call.body, "")?;
    let (thread,) = call.path;
    let message = Message::new(call.runtime.mint(), thread.clone(), call.runtime.now(), call.body);
    let put = record::put_message(&message).expect(Expect::Absent);
    let json = put.body.clone();
    let batch = Batch::new()
        .require(Kind::Thread, thread.as_str())
        .require_unlocked(record::thread_lock(&thread))
        .put(put);
    match call.scope.commit(batch).await {
        Ok(()) => Ok(Reply::bytes(json)),
        Err(StoreError::Locked { holder, .. }) => Err(ApiError::bad_request(format!(
            "Can't add messages to {thread} while a run {holder} is active."
        ))),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn get(call: Call<endpoint::GetMessage>) -> Result<Reply<endpoint::GetMessage>, ApiError> {
    let (thread, message) = call.path;
    find(&call.scope, Kind::Message, message.as_str(), Some(thread.as_str())).await.map(Reply::stored)
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyMessage>,
) -> Result<Reply<endpoint::ModifyMessage>, ApiError> {
    validate::modify_metadata(&call.body.metadata)?;
    let (thread, id) = call.path;
    let edit = |message: &mut Message| {
        call.body.metadata.clone().apply(&mut message.metadata);
        message.metadata.get_or_insert_default();
    };
    let of = (Kind::Message, id.as_str());
    change(&call.scope, of, Some(thread.as_str()), edit, record::put_message).await.map(Reply::bytes)
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteMessage>,
) -> Result<Reply<endpoint::DeleteMessage>, ApiError> {
    let (thread, id) = call.path;
    find(&call.scope, Kind::Message, id.as_str(), Some(thread.as_str())).await?;
    call.scope.commit(Batch::new().delete(Kind::Message, id.as_str())).await?;
    Ok(Reply::json(&Deleted { id, object: "thread.message.deleted".to_owned(), deleted: true }))
}
