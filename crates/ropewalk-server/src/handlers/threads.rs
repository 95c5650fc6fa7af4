use ropewalk_runs::record;
use ropewalk_store::{Batch, Expect, Kind, ListRequest};
use ropewalk_types::{CreateThread, Deleted, Message, Order, RunId, Thread, endpoint};

use super::{change, find};
use crate::{api_error::ApiError, call::Call, reply::Reply, runtime::Runtime, validate};

pub(crate) async fn create(
    call: Call<endpoint::CreateThread>,
) -> Result<Reply<endpoint::CreateThread>, ApiError> {
    validate::create_thread(&call.body, "")?;
    let (thread, messages) = build(&call.runtime, call.body);
    let put = record::put_thread(&thread).expect(Expect::Absent);
    let json = put.body.clone();
    let batch = messages.iter().fold(Batch::new().put(put), |batch, message| {
        batch.put(record::put_message(message).expect(Expect::Absent))
    });
    call.scope.commit(batch).await?;
    Ok(Reply::bytes(json))
}

/// A new thread and its first messages.
pub(crate) fn build(runtime: &Runtime, request: CreateThread) -> (Thread, Vec<Message>) {
    let now = runtime.now();
    let mut thread = Thread::new(runtime.mint(), now);
    thread.tool_resources = Some(request.tool_resources.unwrap_or_default());
    thread.metadata = Some(request.metadata.unwrap_or_default());
    let messages = request.messages.unwrap_or_default();
    let messages =
        messages.into_iter().map(|message| Message::new(runtime.mint(), thread.id.clone(), now, message));
    let messages = messages.collect();
    (thread, messages)
}

pub(crate) async fn get(call: Call<endpoint::GetThread>) -> Result<Reply<endpoint::GetThread>, ApiError> {
    find(&call.scope, Kind::Thread, call.path.0.as_str(), None).await.map(Reply::stored)
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyThread>,
) -> Result<Reply<endpoint::ModifyThread>, ApiError> {
    validate::modify_thread(&call.body)?;
    let of = (Kind::Thread, call.path.0.as_str());
    let edit = |thread: &mut Thread| {
        call.body.tool_resources.clone().apply(&mut thread.tool_resources);
        call.body.metadata.clone().apply(&mut thread.metadata);
        thread.metadata.get_or_insert_default();
    };
    change(&call.scope, of, None, edit, record::put_thread).await.map(Reply::bytes)
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteThread>,
) -> Result<Reply<endpoint::DeleteThread>, ApiError> {
    let (id,) = call.path;
    let newest = ListRequest {
        kind: Kind::Run,
        parent: Some(id.as_str().to_owned()),
        tag: None,
        limit: 1,
        order: Order::Desc,
        after: None,
        before: None,
    };
    let runs = call.scope.list(&newest).await?.documents;
    call.scope.commit(Batch::new().delete_tree(Kind::Thread, id.as_str())).await?;
    // Only the newest run can be active. Whoever drives it finds it gone and stops.
    runs.iter().for_each(|run| call.runtime.engine().poke(&RunId::new(run.id.as_str())));
    Ok(Reply::json(&Deleted { id, object: "thread.deleted".to_owned(), deleted: true }))
}
