//! What is measured of requests, with the facade of the crate `metrics`: nothing, unless the program records it. No label
//! comes from a caller: an operation is a row of the table of endpoints, and no organisation is named.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use ropewalk_types::endpoint::ENDPOINTS;

const REQUESTS: &str = "ropewalk_http_requests_total";
const REQUEST_SECONDS: &str = "ropewalk_http_request_duration_seconds";
const STREAMS: &str = "ropewalk_open_streams";
/// The operation of what is no row of the table: a path that does not exist, `/healthz`.
const OTHER: &str = "other";

/// Tells the recorder of this thread or process what all metrics of a server mean: those of this crate, of runs, models,
/// files and the store.
pub fn describe_metrics() {
    #[cfg(feature = "sqlite")]
    ropewalk_store::describe_metrics();
    ropewalk_model::describe_metrics();
    ropewalk_files::describe_metrics();
    ropewalk_runs::describe_metrics();
    ropewalk_webhooks::describe_metrics();
    describe_counter!(REQUESTS, "Requests, by operation and the class of their status.");
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "How long it took until a reply began, by operation."
    );
    describe_gauge!(STREAMS, Unit::Count, "Event streams that are open.");
    gauge!(STREAMS).increment(0);
}

/// Which operation a reply answers.
#[derive(Debug, Clone, Copy)]
struct Operation(&'static str);

/// Notes on each reply of a route which operation it answers.
pub(crate) async fn name(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().and_then(|path| path.as_str().strip_prefix("/v1"));
    let operation = ENDPOINTS
        .iter()
        .find(|info| Some(info.path) == path && info.method.as_str() == request.method().as_str())
        .map(|info| Operation(info.operation_id));
    let mut response = next.run(request).await;
    if let Some(operation) = operation {
        response.extensions_mut().insert(operation);
    }
    response
}

/// A reply begins.
pub(crate) fn answered(response: &mut Response, took: Duration) {
    let operation = response.extensions_mut().remove::<Operation>().map_or(OTHER, |operation| operation.0);
    counter!(REQUESTS, "operation" => operation, "status" => class(response.status())).increment(1);
    histogram!(REQUEST_SECONDS, "operation" => operation).record(took);
}

/// So many more event streams are open, or fewer.
pub(crate) fn streams(more: i8) {
    gauge!(STREAMS).increment(more);
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
