use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, HeaderValue, header};
use http_body::Frame;
use ropewalk_runs::RunStream;
use ropewalk_store::Document;
use ropewalk_types::Endpoint;

/// How long a client should wait before it looks at an unfinished run again.
const POLL_AFTER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("openai-poll-after-ms"), HeaderValue::from_static("200"));

/// A handler's answer: the endpoint's JSON, or an event stream.
pub(crate) struct Reply<E> {
    content: Content,
    poll_again: bool,
    endpoint: PhantomData<E>,
}

enum Content {
    Json(Bytes),
    Events(RunStream),
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
        Self { content: Content::Json(json), poll_again: false, endpoint: PhantomData }
    }

    pub(crate) fn events(stream: RunStream) -> Self {
        Self { content: Content::Events(stream), poll_again: false, endpoint: PhantomData }
    }

    /// Tells clients that poll when to come again.
    pub(crate) fn poll_again(mut self, again: bool) -> Self {
        self.poll_again = again;
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (mut response, content_type) = match self.content {
            Content::Json(json) => (Response::new(Body::from(json)), "application/json"),
            Content::Events(stream) => {
                let mut response = Response::new(Body::new(EventBody(stream)));
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                (response, "text/event-stream; charset=utf-8")
            }
        };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.poll_again {
            let (name, value) = POLL_AFTER;
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// A run's events as a body. Polling it drives the run.
struct EventBody(RunStream);

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_next(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
