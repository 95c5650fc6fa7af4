use ropewalk_runs::{RunError, record};
use ropewalk_store::{Batch, Kind, StoreError};
use ropewalk_types::{Deleted, ListQuery, Message, endpoint};

use super::{CHANGE_TRIES, attachments, change, find};
use crate::{api_error::ApiError, call::Call, list, reply::Reply};

pub(crate) async fn list(
    call: Call<endpoint::ListMessages>,
) -> Result<Reply<endpoint::ListMessages>, ApiError> {
    let thread = call.path.0.as_str();
    find(&call.scope, Kind::Thread, thread, None).await?;
    let query = call.query;
    let page = ListQuery { limit: query.limit, order: query.order, after: query.after, before: query.before };
    let mut request = list::request(Kind::Message, Some(thread), page);
    request.tag = query.run_id.map(|run| run.as_str().to_owned());
    list::page(&call.scope, &request).await
}

pub(crate) async fn create(
    call: Call<endpoint::CreateMessage>,
) -> Result<Reply<endpoint::CreateMessage>, ApiError> {
    let busy = call.busy();
    let (thread,) = call.path;
    let message = Message::new(call.runtime.mint(), thread, call.runtime.now(), call.body);
    for _ in 0..CHANGE_TRIES {
        let messages = std::slice::from_ref(&message);
        let also = attachments::on_thread(&call.runtime, &call.scope, &message.thread_id, messages).await?;
        match call.runtime.engine().add_message(&call.scope, &message, busy, also).await {
            Ok(json) => {
                call.runtime.library().wake();
                return Ok(Reply::bytes(json));
            }
            Err(RunError::ThreadBusy { thread, run }) => {
                let message = format!("Can't add messages to {thread} while a run {run} is active.");
                return Err(ApiError::bad_request(message));
            }
            Err(RunError::Store(error)) if error.is_overtaken() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}

pub(crate) async fn get(call: Call<endpoint::GetMessage>) -> Result<Reply<endpoint::GetMessage>, ApiError> {
    let (thread, message) = call.path;
    find(&call.scope, Kind::Message, message.as_str(), Some(thread.as_str())).await.map(Reply::stored)
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyMessage>,
) -> Result<Reply<endpoint::ModifyMessage>, ApiError> {
    let (thread, id) = call.path;
    let edit = |message: &mut Message| {
        call.body.metadata.clone().apply(&mut message.metadata);
        message.metadata.get_or_insert_default();
    };
    let of = (Kind::Message, id.as_str());
    change(&call.scope, of, Some(thread.as_str()), edit, record::put_message, &Batch::new())
        .await
        .map(Reply::bytes)
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteMessage>,
) -> Result<Reply<endpoint::DeleteMessage>, ApiError> {
    let (thread, id) = call.path;
    find(&call.scope, Kind::Message, id.as_str(), Some(thread.as_str())).await?;
    call.scope.commit(Batch::new().delete(Kind::Message, id.as_str())).await?;
    Ok(Reply::json(&Deleted { id, object: "thread.message.deleted".to_owned(), deleted: true }))
}
