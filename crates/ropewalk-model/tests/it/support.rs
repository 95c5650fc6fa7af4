//! Upstreams to test against, and a way to write down what they led to.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ropewalk_model::{ChatCompletions, Model, ModelError, ModelEvent, ModelRequest, ModelStream};
use ropewalk_transport::{InProcess, RetryPolicy, Transport};

/// A reply with this content type whose body comes in these pieces.
pub(crate) fn reply(kind: &str, pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(pieces.map(Ok::<_, Infallible>));
    Response::builder().header("content-type", kind).body(body).unwrap()
}

pub(crate) fn events(pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>) -> Response {
    reply("text/event-stream", stream::iter(pieces))
}

/// The adapter for an upstream in this process.
pub(crate) fn in_process(upstream: Router) -> ChatCompletions {
    let transport = Transport::builder(InProcess::new(upstream))
        .retry(RetryPolicy::default())
        .idle_timeout(Duration::from_secs(60))
        .build();
    ChatCompletions::with_transport("http://upstream/v1/", transport).unwrap()
}

/// The base URL of an upstream behind a socket.
pub(crate) async fn listen(upstream: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, upstream).await });
    url
}

/// What a model says, one line an event.
pub(crate) async fn transcript(model: &impl Model, request: &ModelRequest) -> String {
    match model.stream(request).await {
        Ok(stream) => read(stream).await,
        Err(error) => line(Err(error)),
    }
}

pub(crate) async fn read(stream: ModelStream) -> String {
    stream.map(line).collect::<Vec<_>>().await.concat()
}

pub(crate) fn line(event: Result<ModelEvent, ModelError>) -> String {
    match event {
        Ok(ModelEvent::Text(text)) => format!("text {text:?}\n"),
        Ok(ModelEvent::Refusal(text)) => format!("refusal {text:?}\n"),
        Ok(ModelEvent::ToolCall(part)) => {
            let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            format!("call {} {} {} {}\n", part.index, word(part.id), word(part.name), part.arguments)
        }
        Ok(ModelEvent::Usage(usage)) => {
            format!("usage {} + {} = {}\n", usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        }
        Ok(ModelEvent::Finish(reason)) => format!("finish {reason:?}\n"),
        Ok(other) => format!("{other:?}\n"),
        Err(error) => {
            format!(
                "error {:?}: {error}; {}\n",
                error.kind(),
                error.upstream_message().unwrap_or("no more is known")
            )
        }
    }
}
