use ropewalk_runs::record;
use ropewalk_store::{Batch, Expect, Kind, ListRequest, Scope, StoreError};
use ropewalk_types::{CreateThread, Deleted, Message, RunId, Thread, ThreadId, Update, endpoint};

use super::{attachments, change, find};
use crate::{api_error::ApiError, call::Call, reply::Reply, runtime::Runtime, validate};

/// Runs of a thread among which are those that are active or wait.
const NEWEST: usize = 101;

pub(crate) async fn create(
    call: Call<endpoint::CreateThread>,
) -> Result<Reply<endpoint::CreateThread>, ApiError> {
    validate::create_thread(&call.body, "")?;
    let (mut thread, messages) = build(&call.runtime, call.body);
    let also = attachments::of_new_thread(&call.runtime, &call.scope, &mut thread, &messages).await?;
    let put = record::put_thread(&thread).expect(Expect::Absent);
    let json = put.body.clone();
    let batch = messages
        .iter()
        .fold(also.put(put), |batch, message| batch.put(record::put_message(message).expect(Expect::Absent)));
    call.scope.commit(batch).await?;
    call.runtime.library().wake();
    Ok(Reply::bytes(json))
}

/// A new thread and its first messages.
pub(crate) fn build(runtime: &Runtime, request: CreateThread) -> (Thread, Vec<Message>) {
    let now = runtime.now();
    let mut thread = Thread::new(runtime.mint(), now);
    thread.tool_resources = Some(request.tool_resources.unwrap_or_default());
    thread.metadata = Some(request.metadata.unwrap_or_default());
    thread.budget = request.budget;
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
    find(&call.scope, of.0, of.1, None).await?;
    let (mut body, mut also) = (call.body, Batch::new());
    if let Update::Set(resources) = &mut body.tool_resources {
        also = call.runtime.library().prepare_resources(&call.scope, of.1, resources).await?;
    }
    let edit = |thread: &mut Thread| {
        body.tool_resources.clone().apply(&mut thread.tool_resources);
        body.metadata.clone().apply(&mut thread.metadata);
        thread.metadata.get_or_insert_default();
        body.budget.clone().apply(&mut thread.budget);
    };
    let json = change(&call.scope, of, None, edit, record::put_thread, &also).await?;
    call.runtime.library().wake();
    Ok(Reply::bytes(json))
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteThread>,
) -> Result<Reply<endpoint::DeleteThread>, ApiError> {
    let (id,) = call.path;
    delete_one(&call.runtime, &call.scope, &id).await?;
    Ok(Reply::json(&Deleted { id, object: "thread.deleted".to_owned(), deleted: true }))
}

/// Deletes a thread with all that is below it, and stops its runs.
pub(crate) async fn delete_one(runtime: &Runtime, scope: &Scope, id: &ThreadId) -> Result<(), StoreError> {
    let newest = ListRequest::new(Kind::Run).parent(id.as_str()).limit(NEWEST);
    let runs = scope.list(&newest).await?.documents;
    let tree = Batch::new().delete_tree(Kind::Thread, id.as_str());
    scope.commit(tree.drop_counters(record::thread_counters(id))).await?;
    // Whoever drives one finds it gone and stops.
    runs.iter().for_each(|run| runtime.engine().poke(&RunId::new(run.id.as_str())));
    if let Some(tool) = runtime.code_interpreter() {
        tool.end(scope, id);
    }
    Ok(())
}
