use axum::{
    Router,
    extract::Request,
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use ropewalk_types::{ErrorObject, endpoint};

use crate::{
    api_error::ApiError,
    call::route,
    handlers::{assistants, messages, models, run_steps, runs, threads},
    headers::stamp,
    runtime::Runtime,
};

/// All routes of the API, below `/v1`, and `/healthz`.
///
/// Mount it in an axum app of your own, or hand it to [`serve`](crate::serve).
pub fn router(runtime: Runtime) -> Router {
    let routes = Router::new();
    let routes = route::<endpoint::ListAssistants, _, _>(routes, assistants::list);
    let routes = route::<endpoint::CreateAssistant, _, _>(routes, assistants::create);
    let routes = route::<endpoint::GetAssistant, _, _>(routes, assistants::get);
    let routes = route::<endpoint::ModifyAssistant, _, _>(routes, assistants::modify);
    let routes = route::<endpoint::DeleteAssistant, _, _>(routes, assistants::delete);
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
    let routes = route::<endpoint::ListRunSteps, _, _>(routes, run_steps::list);
    let routes = route::<endpoint::GetRunStep, _, _>(routes, run_steps::get);
    let routes = route::<endpoint::ListModels, _, _>(routes, models::list);
    let routes = route::<endpoint::GetModel, _, _>(routes, models::get);
    routes
        .route("/healthz", get(|| async { "ok" }))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(stamp))
        .with_state(runtime)
}

async fn unknown_path(request: Request) -> Response {
    let message = format!("Invalid URL ({} {})", request.method(), request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, ErrorObject::invalid_request(message)).into_response()
}

async fn wrong_method(request: Request) -> Response {
    let message = format!("Not allowed to {} on {}.", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorObject::invalid_request(message)).into_response()
}
