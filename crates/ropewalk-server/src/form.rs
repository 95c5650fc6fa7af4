//! Bodies in `multipart/form-data`: text fields, and one part whose bytes go straight to the disk.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, header};
use multer::{Field, Multipart};
use ropewalk_files::{FileError, Incoming};
use ropewalk_types::{Endpoint, ErrorObject};

use crate::{api_error::ApiError, filename, idle::went_idle, schema::RequestSchema};

/// Most parts of a form; the largest form of the API has four.
const MAX_PARTS: usize = 16;
/// Most bytes of all text fields and of all names of fields.
const MAX_TEXT: usize = 64 * 1024;
/// Most bytes that the parser may hold before it has made something of them: a part's headers have to fit.
const MAX_HELD: usize = 1024 * 1024;
/// Longest name of a file, in characters.
const MAX_NAME: usize = 1024;

/// A form that is still on its way.
pub(crate) struct Form<E> {
    schema: Arc<RequestSchema<E>>,
    parts: Multipart<'static>,
    /// Parts that have begun.
    begun: usize,
    held: Arc<AtomicUsize>,
}

/// The part that carried the bytes.
pub(crate) struct Received<I> {
    pub(crate) incoming: Incoming<I>,
    /// The last component of the name it came with.
    pub(crate) filename: String,
}

impl<E: Endpoint> Form<E> {
    pub(crate) fn new(
        schema: Arc<RequestSchema<E>>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, ApiError> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok()).ok_or_else(|| {
            ApiError::bad_request(
                "The body of the request must be of the type multipart/form-data, with a boundary.",
            )
        })?;
        let held = Arc::new(AtomicUsize::new(0));
        let body = PacedBody { body: body.into_data_stream(), held: held.clone(), rested: true };
        Ok(Self { schema, parts: Multipart::new(body, boundary), begun: 0, held })
    }

    /// Reads the form to its end. The bytes go where `begin` says.
    pub(crate) async fn receive<I>(
        mut self,
        begin: impl AsyncFnOnce() -> Result<Incoming<I>, FileError>,
    ) -> Result<(E::Body, Received<I>), ApiError> {
        let carrier = E::INFO.multipart.unwrap_or_default();
        let (mut begin, mut received) = (Some(begin), None);
        let mut texts: Vec<(String, String)> = Vec::new();
        let mut room = MAX_TEXT;
        while let Some(mut part) = self.next().await? {
            if self.begun > MAX_PARTS {
                return Err(ApiError::bad_request(format!("The form has more than {MAX_PARTS} parts.")));
            }
            let name = part.name().unwrap_or_default().to_owned();
            take(&mut room, name.len())?;
            if name != carrier {
                let text = self.text(&mut part, &mut room).await?;
                texts.push((name, text));
                continue;
            }
            let Some(begin) = begin.take() else {
                let message = format!("Duplicate parameter: '{carrier}'.");
                return Err(ApiError::bad_field(carrier, "invalid_value", message));
            };
            let filename = named(part.headers())?;
            let mut incoming = begin().await?;
            while let Some(bytes) = part.chunk().await.map_err(broken)? {
                self.held.store(0, Ordering::Relaxed);
                incoming.write(bytes).await?;
            }
            received = Some(Received { incoming, filename });
        }
        let fields = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let body = self.schema.read_form(fields)?;
        let received = received.ok_or_else(|| {
            let message = format!("Missing required parameter: '{carrier}'.");
            ApiError::bad_field(carrier, "missing_required_parameter", message)
        })?;
        Ok((body, received))
    }

    async fn next(&mut self) -> Result<Option<Field<'static>>, ApiError> {
        let part = self.parts.next_field().await.map_err(|error| match self.begun {
            0 if holds_too_much(&error) => too_large(format!(
                "The form has no part within its first {MAX_HELD} bytes: its boundary is missing, or the headers of \
                 its first part are too long."
            )),
            _ => broken(error),
        })?;
        self.begun += 1;
        self.held.store(0, Ordering::Relaxed);
        Ok(part)
    }

    async fn text(&self, part: &mut Field<'static>, room: &mut usize) -> Result<String, ApiError> {
        let mut text = Vec::new();
        while let Some(bytes) = part.chunk().await.map_err(broken)? {
            self.held.store(0, Ordering::Relaxed);
            take(room, bytes.len())?;
            text.extend_from_slice(&bytes);
        }
        String::from_utf8(text).map_err(|_| ApiError::bad_request("A text field of the form is not UTF-8."))
    }
}

/// Takes the bytes of a name or a text from what is left for them.
fn take(room: &mut usize, bytes: usize) -> Result<(), ApiError> {
    *room = room.checked_sub(bytes).ok_or_else(|| {
        too_large(format!("The text fields of the form and their names have more than {MAX_TEXT} bytes."))
    })?;
    Ok(())
}

fn named(headers: &HeaderMap) -> Result<String, ApiError> {
    let name = filename::clean(&filename::of_part(headers).unwrap_or_default());
    let length = name.chars().count();
    if length > MAX_NAME {
        let message = format!(
            "Invalid 'file': string too long. Expected a filename with maximum length {MAX_NAME}, but got one with \
             length {length} instead."
        );
        return Err(ApiError::bad_field("file", "string_above_max_length", message));
    }
    Ok(name)
}

fn broken(error: multer::Error) -> ApiError {
    if went_idle(&error) {
        let error = ErrorObject::invalid_request("The body of the request stopped coming.");
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, error);
    }
    if holds_too_much(&error) {
        return too_large("The headers of a part of the form are too long.");
    }
    ApiError::bad_request("The body of the request is not a whole multipart/form-data form.")
}

fn holds_too_much(error: &multer::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Held>())
}

fn too_large(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorObject::invalid_request(message))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// More bytes came than the parser may hold.
#[derive(Debug, thiserror::Error)]
#[error("the parser holds too much")]
struct Held;

/// A body that the parser gets piece by piece: left alone, it would take in all that has arrived, whatever its reader
/// has made of what came before.
struct PacedBody {
    body: BodyDataStream,
    /// Bytes handed over since the parser last gave something back.
    held: Arc<AtomicUsize>,
    rested: bool,
}

impl Stream for PacedBody {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.rested {
            self.rested = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(Pin::new(&mut self.body).poll_next(context));
        self.rested = false;
        Poll::Ready(piece.map(|piece| {
            let piece = piece.map_err(BoxError::from)?;
            let held = self.held.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
            if held > MAX_HELD { Err(Held.into()) } else { Ok(piece) }
        }))
    }
}
