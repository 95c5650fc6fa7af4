use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use ropewalk_types::{ErrorObject, endpoint};
use tower::ServiceExt;

use crate::{
    admit::admit,
    api_error::ApiError,
    azure,
    call::{route, route_bytes, route_form},
    handlers::{
        assistants, chat_completions, files, messages, models, run_steps, runs, thread_lists, threads,
        uploads, vector_store_file_batches, vector_store_files, vector_stores,
    },
    headers::stamp,
    measures,
    metrics_page::MetricsPage,
    runtime::Runtime,
};

/// All routes of the API, below `/v1` and in the Azure form below `/openai`, `/healthz` and `/openapi.json`;
/// `/metrics`, if [`RuntimeOptions::metrics`](crate::RuntimeOptions::metrics) says so.
///
/// Mount it in an axum app of your own, or hand it to [`serve`](crate::serve).
pub fn router(runtime: Runtime) -> Router {
    let routes = Router::new();
    let routes = route::<endpoint::ListAssistants, _, _>(routes, assistants::list);
    let routes = route::<endpoint::CreateAssistant, _, _>(routes, assistants::create);
    let routes = route::<endpoint::GetAssistant, _, _>(routes, assistants::get);
    let routes = route::<endpoint::ModifyAssistant, _, _>(routes, assistants::modify);
    let routes = route::<endpoint::DeleteAssistant, _, _>(routes, assistants::delete);
    let routes = route::<endpoint::ListThreads, _, _>(routes, thread_lists::list);
    let routes = route::<endpoint::DeleteThreads, _, _>(routes, thread_lists::delete_many);
    let routes = route::<endpoint::CreateThread, _, _>(routes, threads::create);
    let routes = route::<endpoint::CreateThreadAndRun, _, _>(routes, runs::create_with_thread);
    let routes = route::<endpoint::GetThread, _, _>(routes, threads::get);
    let routes = route::<endpoint::ModifyThread, _, _>(routes, threads::modify);
    let routes = route::<endpoint::DeleteThread, _, _>(routes, threads::delete);
    let routes = route::<endpoint::ListMessages, _, _>(routes, messages::list);
    let routes = route::<endpoint::CreateMessage, _, _>(routes, messages::create);
    let routes = route::<endpoint::GetMessage, _, _>(routes, messages::get);
    let routes = route::<endpoint::ModifyMessage, _, _>(routes, messages::modify);
    let routes = route::<endpoint::DeleteMessage, _, _>(routes, messages::delete);
    let routes = route::<endpoint::ListRuns, _, _>(routes, runs::list);
    let routes = route::<endpoint::CreateRun, _, _>(routes, runs::create);
    let routes = route::<endpoint::GetRun, _, _>(routes, runs::get);
    let routes = route::<endpoint::ModifyRun, _, _>(routes, runs::modify);
    let routes = route::<endpoint::CancelRun, _, _>(routes, runs::cancel);
    let routes = route::<endpoint::SubmitToolOutputs, _, _>(routes, runs::submit_tool_outputs);
    let routes = route::<endpoint::StreamRunEvents, _, _>(routes, runs::events);
    let routes = route::<endpoint::ListRunSteps, _, _>(routes, run_steps::list);
    let routes = route::<endpoint::GetRunStep, _, _>(routes, run_steps::get);
    let routes = route::<endpoint::ListFiles, _, _>(routes, files::list);
    let routes = route_form::<endpoint::CreateFile, _, _>(routes, files::create);
    let routes = route::<endpoint::GetFile, _, _>(routes, files::get);
    let routes = route::<endpoint::DeleteFile, _, _>(routes, files::delete);
    let routes = route::<endpoint::DownloadFile, _, _>(routes, files::content);
    let routes = route::<endpoint::CreateUpload, _, _>(routes, uploads::create);
    let routes = route_form::<endpoint::AddUploadPart, _, _>(routes, uploads::add_part);
    let routes = route::<endpoint::CompleteUpload, _, _>(routes, uploads::complete);
    let routes = route::<endpoint::CancelUpload, _, _>(routes, uploads::cancel);
    let routes = route::<endpoint::ListVectorStores, _, _>(routes, vector_stores::list);
    let routes = route::<endpoint::CreateVectorStore, _, _>(routes, vector_stores::create);
    let routes = route::<endpoint::GetVectorStore, _, _>(routes, vector_stores::get);
    let routes = route::<endpoint::ModifyVectorStore, _, _>(routes, vector_stores::modify);
    let routes = route::<endpoint::DeleteVectorStore, _, _>(routes, vector_stores::delete);
    let routes = route::<endpoint::SearchVectorStore, _, _>(routes, vector_stores::search);
    let routes = route::<endpoint::ListVectorStoreFiles, _, _>(routes, vector_store_files::list);
    let routes = route::<endpoint::CreateVectorStoreFile, _, _>(routes, vector_store_files::create);
    let routes = route::<endpoint::GetVectorStoreFile, _, _>(routes, vector_store_files::get);
    let routes = route::<endpoint::ModifyVectorStoreFile, _, _>(routes, vector_store_files::modify);
    let routes = route::<endpoint::DeleteVectorStoreFile, _, _>(routes, vector_store_files::delete);
    let routes = route::<endpoint::GetVectorStoreFileContent, _, _>(routes, vector_store_files::content);
    let routes =
        route::<endpoint::CreateVectorStoreFileBatch, _, _>(routes, vector_store_file_batches::create);
    let routes = route::<endpoint::GetVectorStoreFileBatch, _, _>(routes, vector_store_file_batches::get);
    let routes =
        route::<endpoint::CancelVectorStoreFileBatch, _, _>(routes, vector_store_file_batches::cancel);
    let routes =
        route::<endpoint::ListVectorStoreFileBatchFiles, _, _>(routes, vector_store_file_batches::list_files);
    let routes = route::<endpoint::ListModels, _, _>(routes, models::list);
    let routes = route::<endpoint::GetModel, _, _>(routes, models::get);
    let routes = route::<endpoint::DeleteModel, _, _>(routes, models::delete);
    let routes = route_bytes::<endpoint::CreateChatCompletion, _, _>(routes, chat_completions::create);
    let routes = route::<endpoint::ListChatCompletions, _, _>(routes, chat_completions::list);
    let routes = route::<endpoint::GetChatCompletion, _, _>(routes, chat_completions::get);
    let routes = route::<endpoint::UpdateChatCompletion, _, _>(routes, chat_completions::update);
    let routes = route::<endpoint::DeleteChatCompletion, _, _>(routes, chat_completions::delete);
    let routes = route::<endpoint::ListChatCompletionMessages, _, _>(routes, chat_completions::messages);
    let routes = routes
        .route_layer(from_fn_with_state(runtime.clone(), admit))
        .route_layer(from_fn(measures::name))
        .route("/healthz", get(|| async { "ok" }))
        .route("/openapi.json", get(openapi))
        .merge(runtime.options().metrics.as_ref().map(MetricsPage::route).unwrap_or_default())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(runtime.clone());
    let named = routes.clone();
    routes
        .fallback(move |request| other_name(named.clone(), request))
        .layer(from_fn_with_state(runtime, stamp))
}

/// What answers in place of the [`router`] where a server has no room for another connection.
pub(crate) fn no_room(runtime: Runtime) -> Router {
    let full = || async {
        let message = "The server has no room for another connection. Try again shortly.";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorObject::server(message))
    };
    Router::new().fallback(full).layer(from_fn_with_state(runtime, stamp))
}

/// Looks a request in the Azure form up among `routes` again, by the name that it has there.
async fn other_name(routes: Router, request: Request) -> Response {
    if !azure::is_azure(request.uri().path()) {
        return unknown_path(request).await;
    }
    match azure::rename(request) {
        Ok(request) => routes.oneshot(request).await.into_response(),
        Err(error) => error.into_response(),
    }
}

/// The OpenAPI document of these routes, written by `cargo xtask codegen`.
async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json"))
}

async fn unknown_path(request: Request) -> Response {
    let message = format!("Invalid URL ({} {})", request.method(), request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message)).into_response()
}

async fn wrong_method(request: Request) -> Response {
    let message = format!("Not allowed to {} on {}.", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorObject::invalid_request(message)).into_response()
}
