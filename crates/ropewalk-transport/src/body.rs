use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderValue;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use serde::Serialize;

use crate::{BoxError, TransportError, TransportErrorKind};

/// The body of a request or a response: bytes in memory, or a stream of them.
///
/// A body in memory can be sent again, which is what a retry needs. Errors are [`TransportError`]s that carry the
/// request id of the response they belong to. It is `Send` and `Unpin`, but not `Sync`.
#[derive(Default)]
pub struct Body {
    content: Content,
    request_id: Option<HeaderValue>,
}

enum Content {
    Memory(Bytes),
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = TransportError> + Send>>),
}

impl Body {
    /// No bytes at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Wraps any body. A foreign error turns into [`TransportErrorKind::Interrupted`].
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut body = Some(body);
        if let Some(own) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        body.map_or_else(Self::empty, |body| {
            let adopt = |error: B::Error| TransportError::adopt(TransportErrorKind::Interrupted, error);
            Self { content: Content::Stream(Box::pin(body.map_err(adopt))), request_id: None }
        })
    }

    /// `value` as JSON, in memory. The `content-type` header is the caller's to set.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::InvalidRequest`] if `value` has no JSON form, such as a map whose keys are no strings.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, TransportError> {
        serde_json::to_vec(value).map(Self::from).map_err(TransportError::invalid)
    }

    /// The whole body, if it is in memory.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// Reads to the end; `limit` is in bytes.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::TooLarge`] as soon as there is more than `limit`, or whatever broke the body off.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, TransportError> {
        if http_body::Body::size_hint(&self).lower() > limit as u64 {
            return Err(self.named(TransportError::new(TransportErrorKind::TooLarge)));
        }
        if let Content::Memory(bytes) = self.content {
            return Ok(bytes);
        }
        let mut whole = BytesMut::new();
        while let Some(data) = poll_fn(|cx| self.poll_data(cx)).await {
            let data = data?;
            if data.len() > limit - whole.len() {
                return Err(self.named(TransportError::new(TransportErrorKind::TooLarge)));
            }
            if whole.is_empty() {
                whole = data.into();
            } else {
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.freeze())
    }

    /// The bytes as they come, without trailers.
    #[must_use]
    pub fn into_data_stream(self) -> DataStream {
        DataStream(self)
    }

    /// The same body once more, if it is in memory.
    pub(crate) fn copy(&self) -> Option<Self> {
        self.as_bytes().cloned().map(Self::from)
    }

    /// Makes later errors carry the id of the request.
    pub(crate) fn set_request_id(&mut self, id: Option<HeaderValue>) {
        self.request_id = id.or(self.request_id.take());
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            match ready!(http_body::Body::poll_frame(Pin::new(self), cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    fn named(&self, error: TransportError) -> TransportError {
        match self.request_id.as_ref().and_then(|id| id.to_str().ok()) {
            Some(id) => error.with_request_id(id),
            None => error,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        match &mut self.content {
            Content::Memory(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Memory(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(stream) => match ready!(stream.as_mut().poll_frame(cx)) {
                Some(Err(error)) => {
                    // What failed is let go at once, and nobody polls it again.
                    self.content = Content::default();
                    Poll::Ready(Some(Err(self.named(error))))
                }
                frame => Poll::Ready(frame),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Memory(bytes) => bytes.is_empty(),
            Content::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Memory(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(stream) => stream.size_hint(),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { content: Content::Memory(bytes), request_id: None }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Shows how much is in memory, never what.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_bytes() {
            Some(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            None => f.write_str("Body(stream)"),
        }
    }
}

/// The bytes of a [`Body`] as they come; it ends after the first error.
#[derive(Debug)]
pub struct DataStream(Body);

impl Stream for DataStream {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_data(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;

    /// A body that comes in these pieces, the errors as foreign ones.
    fn pieces(pieces: &[Result<&'static str, &'static str>]) -> Body {
        let frames: Vec<Result<_, BoxError>> = pieces
            .iter()
            .map(|piece| piece.map(|text| Frame::data(Bytes::from(text))).map_err(Into::into))
            .collect();
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_collected_whole_up_to_the_limit() {
        let rope = || pieces(&[Ok("ro"), Ok(""), Ok("pe")]);
        assert_eq!(rope().collect(4).await.unwrap(), "rope");
        assert_eq!(rope().collect(3).await.unwrap_err().kind(), TransportErrorKind::TooLarge);
        assert_eq!(Body::from("rope").collect(4).await.unwrap(), "rope");
        assert_eq!(Body::from("rope").collect(3).await.unwrap_err().kind(), TransportErrorKind::TooLarge);
        assert_eq!(Body::empty().collect(0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_stream_ends_after_its_error_which_names_the_request() {
        let mut body = pieces(&[Ok("ro"), Err("cut"), Ok("pe")]);
        body.set_request_id(Some(HeaderValue::from_static("req_7")));
        let items: Vec<_> = body.into_data_stream().collect().await;
        let [Ok(first), Err(error)] = &items[..] else { panic!("{items:?}") };
        assert_eq!(first, "ro");
        assert_eq!((error.kind(), error.request_id()), (TransportErrorKind::Interrupted, Some("req_7")));
    }

    #[test]
    fn wrapping_our_own_body_keeps_it_in_memory() {
        let body = Body::new(Body::json(&["a", "b"]).unwrap());
        assert_eq!(body.as_bytes().unwrap(), r#"["a","b"]"#);
        assert_eq!(format!("{body:?} {:?}", pieces(&[])), "Body(9 bytes) Body(stream)");
    }

    #[test]
    fn a_value_without_a_json_form_is_an_invalid_request() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(Body::json(&map).unwrap_err().kind(), TransportErrorKind::InvalidRequest);
    }
}
