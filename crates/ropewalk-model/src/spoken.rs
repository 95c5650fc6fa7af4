//! Chat Completions spoken for a model that is no host of its own: the request read, its events written as a reply.

mod asked;
mod written;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use http::HeaderValue;
use serde_json::json;

use self::{asked::Asked, written::Writer};
use crate::{Model, ModelError, PassedThrough};

/// Answers the JSON body of `POST /chat/completions` with what `model` says.
pub(crate) async fn answer<M: Model + ?Sized>(model: &M, body: &[u8]) -> Result<PassedThrough, ModelError> {
    let asked: Asked = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let (streams, tells_usage) = (asked.streams(), asked.tells_usage());
    let request = asked.into();
    let mut events = model.stream(&request).await?;
    let mut writer = Writer::new(&request.model, tells_usage);
    if streams {
        let head = stream::once(future::ready(Ok(writer.head())));
        let frames = events.map_ok(move |event| writer.frames(event));
        let frames = frames.try_filter(|frames| future::ready(!frames.is_empty()));
        let content_type = Some(HeaderValue::from_static("text/event-stream; charset=utf-8"));
        return Ok(PassedThrough { content_type, body: Box::pin(head.chain(frames)) });
    }
    while let Some(event) = events.next().await {
        writer.gather(event?);
    }
    let whole = stream::once(future::ready(Ok::<Bytes, ModelError>(writer.whole())));
    Ok(PassedThrough {
        content_type: Some(HeaderValue::from_static("application/json")),
        body: Box::pin(whole),
    })
}

/// A refusal as a host would send it.
fn unreadable(error: &serde_json::Error) -> ModelError {
    let message = format!("The request cannot be read: {error}.");
    ModelError::from_reply(400, json!({ "error": { "message": message } }).to_string().as_bytes(), "")
}
