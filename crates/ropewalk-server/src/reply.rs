use std::{marker::PhantomData, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use ropewalk_runs::RunStream;
use ropewalk_store::{BlobReader, Document};
use ropewalk_types::Endpoint;

use crate::{event_body::EventBody, streams::StreamSlot};

/// How long a client should wait before it looks at an unfinished run again.
const POLL_AFTER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("openai-poll-after-ms"), HeaderValue::from_static("200"));

/// RFC 7240.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// A handler's answer: the endpoint's JSON, or an event stream.
pub(crate) struct Reply<E> {
    content: Content,
    poll_again: bool,
    waited: Option<Duration>,
    endpoint: PhantomData<E>,
}

enum Content {
    Json(Bytes),
    Events(EventBody<RunStream>),
    File(BlobReader),
    Passed(Option<HeaderValue>, Body),
}

impl<E: Endpoint> Reply<E> {
    pub(crate) fn json(value: &E::Response) -> Self {
        // Our types have string keys and finite numbers: writing them cannot fail.
        Self::bytes(serde_json::to_vec(value).unwrap_or_default().into())
    }

    /// An object byte for byte as it is stored.
    pub(crate) fn stored(document: Document) -> Self {
        Self::bytes(document.body)
    }

    pub(crate) fn bytes(json: Bytes) -> Self {
        Self::of(Content::Json(json))
    }

    /// What happens in a run, as it happens. Where nothing does for `keep_alive`, a comment says so.
    pub(crate) fn events(stream: RunStream, slot: StreamSlot, keep_alive: Duration) -> Self {
        Self::of(Content::Events(EventBody::new(stream, slot, keep_alive)))
    }

    /// What another server answered, as it comes; it says itself what it is.
    pub(crate) fn passed(content_type: Option<HeaderValue>, body: Body) -> Self {
        Self::of(Content::Passed(content_type, body))
    }

    /// The bytes of a file.
    pub(crate) fn file(bytes: BlobReader) -> Self {
        Self::of(Content::File(bytes))
    }

    fn of(content: Content) -> Self {
        Self { content, poll_again: false, waited: None, endpoint: PhantomData }
    }

    /// Tells clients that poll when to come again.
    pub(crate) fn poll_again(mut self, again: bool) -> Self {
        self.poll_again = again;
        self
    }

    /// Tells the client how long its preference let the reply wait at most.
    pub(crate) fn waited(mut self, wait: Option<Duration>) -> Self {
        self.waited = wait;
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (mut response, content_type) = match self.content {
            Content::Json(json) => (Response::new(Body::from(json)), JSON),
            Content::Events(body) => {
                let mut response = Response::new(Body::new(body));
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                (response, EVENTS)
            }
            Content::File(bytes) => {
                let length = HeaderValue::from(bytes.bytes());
                let mut response = Response::new(Body::from_stream(bytes));
                response.headers_mut().insert(header::CONTENT_LENGTH, length);
                (response, BYTES)
            }
            Content::Passed(content_type, body) => {
                let mut response = Response::new(body);
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                (response, content_type.unwrap_or(JSON))
            }
        };
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        if self.poll_again {
            let (name, value) = POLL_AFTER;
            response.headers_mut().insert(name, value);
        }
        if let Some(wait) = self.waited
            && let Ok(value) = HeaderValue::try_from(format!("wait={}", wait.as_secs()))
        {
            response.headers_mut().insert(PREFERENCE_APPLIED, value);
        }
        response
    }
}
