//! The chunks of a chat completion as a client reads them.

use futures_util::{StreamExt, stream};
use ropewalk_events::FrameStream;
use ropewalk_types::{ChatCompletionChunk, Endpoint, ErrorBody};

use crate::{Client, ClientError, ReplyStream};

impl Client {
    /// Makes one request whose body says `stream: true` to an endpoint that streams chunks.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call). What fails later is an item of the stream; so is [`ClientError::CutOff`], if it
    /// ends before the last chunk.
    pub(crate) async fn chunks<E: Endpoint>(
        &self,
        path: E::Path,
        query: E::Query,
        body: E::Body,
    ) -> Result<ReplyStream<ChatCompletionChunk>, ClientError> {
        let body = self.send::<E>(path, query, body).await?.into_body();
        let start = Some((FrameStream::new(body.into_data_stream()), false));
        Ok(ReplyStream::new(stream::try_unfold(start, async |place| {
            let Some((mut frames, mut finished)) = place else { return Ok(None) };
            loop {
                let frame = match frames.next().await {
                    Some(frame) => frame?,
                    // Not every host sends a `[DONE]`.
                    None if finished => return Ok(None),
                    None => return Err(ClientError::CutOff),
                };
                match frame.data.as_str().trim() {
                    "" => {}
                    "[DONE]" => return Ok(None),
                    json => {
                        let chunk = read::<E>(json)?;
                        finished |= chunk.choices.iter().any(|choice| !choice["finish_reason"].is_null());
                        return Ok(Some((chunk, Some((frames, finished)))));
                    }
                }
            }
        })))
    }
}

fn read<E: Endpoint>(json: &str) -> Result<ChatCompletionChunk, ClientError> {
    serde_json::from_str(json).map_err(|source| match serde_json::from_str::<ErrorBody>(json) {
        Ok(ErrorBody { error }) => ClientError::ErrorEvent(Box::new(error)),
        Err(_) => ClientError::Reply { operation: E::INFO.operation_id, request_id: None, source },
    })
}
