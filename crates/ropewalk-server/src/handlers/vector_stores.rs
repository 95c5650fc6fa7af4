use ropewalk_store::Kind;
use ropewalk_types::{Deleted, ListWord, Page, VectorStore, endpoint};

use crate::{api_error::ApiError, call::Call, list, reply::Reply, validate};

pub(crate) async fn list(
    call: Call<endpoint::ListVectorStores>,
) -> Result<Reply<endpoint::ListVectorStores>, ApiError> {
    let page = call.scope.list(&list::request(Kind::VectorStore, None, call.query)).await?;
    let mut data: Vec<VectorStore> = Vec::with_capacity(page.documents.len());
    for document in &page.documents {
        data.push(call.runtime.library().filled(&call.scope, document.decode()?).await?);
    }
    let id = |store: Option<&VectorStore>| store.map(|store| store.id.as_str().to_owned());
    let (first, last) = (id(data.first()), id(data.last()));
    Ok(Reply::json(&Page {
        object: ListWord::Word,
        data,
        first_id: first,
        last_id: last,
        has_more: page.has_more,
    }))
}

pub(crate) async fn create(
    call: Call<endpoint::CreateVectorStore>,
) -> Result<Reply<endpoint::CreateVectorStore>, ApiError> {
    validate::chunking("chunking_strategy", call.body.chunking_strategy.as_ref())?;
    let store = call.runtime.library().create_vector_store(&call.scope, call.body).await?;
    Ok(Reply::json(&store))
}

pub(crate) async fn get(
    call: Call<endpoint::GetVectorStore>,
) -> Result<Reply<endpoint::GetVectorStore>, ApiError> {
    let store = call.runtime.library().vector_store(&call.scope, &call.path.0).await?;
    let again = store.file_counts.in_progress > 0;
    Ok(Reply::json(&store).poll_again(again))
}

pub(crate) async fn modify(
    call: Call<endpoint::ModifyVectorStore>,
) -> Result<Reply<endpoint::ModifyVectorStore>, ApiError> {
    let store = call.runtime.library().modify_vector_store(&call.scope, &call.path.0, call.body).await?;
    Ok(Reply::json(&store))
}

pub(crate) async fn delete(
    call: Call<endpoint::DeleteVectorStore>,
) -> Result<Reply<endpoint::DeleteVectorStore>, ApiError> {
    let (id,) = call.path;
    call.runtime.library().delete_vector_store(&call.scope, &id).await?;
    Ok(Reply::json(&Deleted { id, object: "vector_store.deleted".to_owned(), deleted: true }))
}

pub(crate) async fn search(
    call: Call<endpoint::SearchVectorStore>,
) -> Result<Reply<endpoint::SearchVectorStore>, ApiError> {
    let results = call.runtime.library().search(&call.scope, &call.path.0, call.body).await?;
    Ok(Reply::json(&results))
}
