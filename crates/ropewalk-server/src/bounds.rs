use std::time::Duration;

use http::{StatusCode, request::Parts};
use ropewalk_types::ErrorObject;

use crate::api_error::ApiError;

/// How much a client may ask of the server's memory. What is over gets a 4xx or 503 that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Most bytes of a request's path and query; 8 KiB.
    pub uri_bytes: usize,
    /// Most bytes of all its headers; 64 KiB.
    pub header_bytes: usize,
    /// Most headers; 64. Above 100 each request costs an allocation more.
    pub headers: usize,
    /// How long a connection may take to send the headers of its next request, the wait for it included; 75 s.
    pub header_timeout: Duration,
    /// How long a body may stop coming; 60 s.
    pub body_timeout: Duration,
    /// Most open connections; 8192.
    pub connections: usize,
    /// Most open event streams; 4096.
    pub streams: usize,
    /// Most open event streams of one organisation; 2048.
    pub streams_per_organization: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            uri_bytes: 8 * 1024,
            header_bytes: 64 * 1024,
            headers: 64,
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            connections: 8192,
            streams: 4096,
            streams_per_organization: 2048,
        }
    }
}

impl Bounds {
    /// Refuses what is too long to be a request.
    pub(crate) fn check(&self, request: &Parts) -> Result<(), ApiError> {
        let uri = request.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
        if uri > self.uri_bytes {
            let message = format!("The URL of the request is longer than {} bytes.", self.uri_bytes);
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, ErrorObject::invalid_request(message)));
        }
        let bytes = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        if request.headers.len() > self.headers || bytes.sum::<usize>() > self.header_bytes {
            let message = format!(
                "The request has more than {} headers, or more than {} bytes of them.",
                self.headers, self.header_bytes
            );
            let error = ErrorObject::invalid_request(message);
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, error));
        }
        Ok(())
    }
}
