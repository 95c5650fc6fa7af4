use axum::body::Body;
use bytes::Bytes;
use ropewalk_model::CallMeter;
use ropewalk_store::{Batch, Kind, ListFilter, ListRequest};
use ropewalk_types::{Deleted, ListQuery, Order, Update, endpoint};
use serde_json::{Map, Value};

use super::{change, find};
use crate::{
    api_error::ApiError,
    call::Call,
    chat::{Asked, RequestHead, Spending, Watch, put_completion},
    list,
    reply::Reply,
    schema::BodySchema,
};

static HEAD: BodySchema<RequestHead> = BodySchema::new();

pub(crate) async fn create(
    call: Call<endpoint::CreateChatCompletion, Bytes>,
) -> Result<Reply<endpoint::CreateChatCompletion>, ApiError> {
    let deployment = call.azure.as_ref().and_then(|azure| azure.deployment.as_deref());
    let asked = Asked::read(&HEAD, call.body.clone(), deployment)?;
    let slot = call.stream_slot(asked.streams)?;
    let mut meter = CallMeter::begin("chat_completion");
    let reply = call.runtime.model().pass_through(asked.body).await;
    let reply = reply.inspect_err(|error| meter.end(Some(error.kind()))).map_err(ApiError::of_upstream)?;
    let content_type = reply.content_type.clone();
    let keep = asked.keep.map(|keep| (keep, call.scope));
    let spending = Spending::new(meter, call.runtime, call.caller, asked.about_tokens);
    Ok(Reply::passed(content_type, Body::from_stream(Watch::over(reply, keep, spending, slot))))
}

pub(crate) async fn list(
    call: Call<endpoint::ListChatCompletions>,
) -> Result<Reply<endpoint::ListChatCompletions>, ApiError> {
    let query = call.query;
    let request = oldest_first(Kind::ChatCompletion, None, query.limit, query.order, query.after);
    let request = query
        .model
        .into_iter()
        .fold(request, |request, model| request.filter(ListFilter::text(["model"], model)));
    let request = query.metadata.into_iter().flatten().fold(request, |request, (key, value)| {
        request.filter(ListFilter::text(["metadata".to_owned(), key], value))
    });
    list::page(&call.scope, &request).await
}

pub(crate) async fn get(
    call: Call<endpoint::GetChatCompletion>,
) -> Result<Reply<endpoint::GetChatCompletion>, ApiError> {
    find(&call.scope, Kind::ChatCompletion, call.path.0.as_str(), None).await.map(Reply::stored)
}

pub(crate) async fn update(
    call: Call<endpoint::UpdateChatCompletion>,
) -> Result<Reply<endpoint::UpdateChatCompletion>, ApiError> {
    let metadata = match call.body.metadata {
        Update::Set(metadata) => metadata,
        Update::Keep | Update::Clear => Default::default(),
    };
    let edit = |completion: &mut Map<String, Value>| {
        completion.insert("metadata".to_owned(), metadata.clone().into_iter().collect());
    };
    let of = (Kind::ChatCompletion, call.path.0.as_str());
    change(&call.scope, of, None, edit, put_completion, &Batch::new()).await.map(Reply::bytes)
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteChatCompletion>,
) -> Result<Reply<endpoint::DeleteChatCompletion>, ApiError> {
    let (id,) = call.path;
    call.scope.commit(Batch::new().delete_tree(Kind::ChatCompletion, id.as_str())).await?;
    Ok(Reply::json(&Deleted { id, object: "chat.completion.deleted".to_owned(), deleted: true }))
}

pub(crate) async fn messages(
    call: Call<endpoint::ListChatCompletionMessages>,
) -> Result<Reply<endpoint::ListChatCompletionMessages>, ApiError> {
    let id = call.path.0.as_str();
    find(&call.scope, Kind::ChatCompletion, id, None).await?;
    let query = call.query;
    let request = oldest_first(Kind::ChatCompletionMessage, Some(id), query.limit, query.order, query.after);
    list::page(&call.scope, &request).await
}

/// These lists begin with the oldest, as no others do.
fn oldest_first(
    kind: Kind,
    parent: Option<&str>,
    limit: Option<i64>,
    order: Option<Order>,
    after: Option<String>,
) -> ListRequest {
    let order = Some(order.unwrap_or(Order::Asc));
    list::request(kind, parent, ListQuery { limit, order, after, before: None })
}
