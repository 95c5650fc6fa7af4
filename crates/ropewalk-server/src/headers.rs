//! What every reply carries, and the span that every request is logged under.

use std::time::Instant;

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VERSION: HeaderName = HeaderName::from_static("openai-version");
const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
/// The version that the hosted service named in its replies.
const API_VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");

/// Names the request, logs it, and puts the headers of the API on its reply.
pub(crate) async fn stamp(request: Request, next: Next) -> Response<Body> {
    let begun = Instant::now();
    let id = format!("req_{:032x}", rand::random::<u128>());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", %id, %method, path);
    let mut response = next.run(request).instrument(span.clone()).await;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), milliseconds, "answered"));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(VERSION, API_VERSION);
    headers.insert(PROCESSING, HeaderValue::from(milliseconds));
    response
}
