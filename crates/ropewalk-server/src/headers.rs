//! What every reply carries, and the span that every request is logged under.

use std::time::Instant;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Instrument, field};

use crate::{measures, runtime::Runtime};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const VERSION: HeaderName = HeaderName::from_static("openai-version");
const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
/// The version that the hosted service named in its replies.
const API_VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");
/// Longest name of a request that its client may give it.
const MAX_CLIENT_ID: usize = 512;

/// Names the request, logs it, and puts the headers of the API on its reply.
pub(crate) async fn stamp(State(runtime): State<Runtime>, request: Request, next: Next) -> Response<Body> {
    let begun = Instant::now();
    let id = format!("req_{:032x}", rand::random::<u128>());
    let (parts, body) = request.into_parts();
    let bounded = runtime.options().bounds.check(&parts);
    // At the level of errors, or else these would lose the id wherever only they are logged.
    let span = tracing::error_span!("request", %id, method = %parts.method, path = field::Empty, client_id = field::Empty);
    if bounded.is_ok() {
        span.record("path", parts.uri.path());
    }
    if let Some(client_id) = client_id(&parts.headers) {
        span.record("client_id", client_id);
    }
    let answer = async {
        match bounded {
            Ok(()) => next.run(Request::from_parts(parts, body)).await,
            Err(error) => error.into_response(),
        }
    };
    let mut response = answer.instrument(span.clone()).await;
    measures::answered(&mut response, begun.elapsed());
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

/// What the client calls its request, if that can stand in a log.
fn client_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(CLIENT_REQUEST_ID)?.to_str().ok()?;
    (id.len() <= MAX_CLIENT_ID).then_some(id)
}
