use std::{collections::VecDeque, mem, time::Duration};

use bytes::Bytes;
use memchr::memchr2;

use crate::{DecodeError, Frame, draft::Draft};

/// Reads an event stream as the WHATWG standard says, copying no data that came in one piece.
///
/// Push bytes as they come, cut anywhere, and take frames until there is none. A line that lies in one chunk is
/// a slice of that chunk; a line that is cut is put together once. Bytes that are not UTF-8 turn into U+FFFD.
///
/// # Source
///
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
///
/// ```
/// # use ropewalk_events::Decoder;
/// let mut decoder = Decoder::new();
/// decoder.push("event: greeting\ndata: hel".into());
/// assert_eq!(decoder.next_frame()?, None);
/// decoder.push("lo\n\n".into());
/// let frame = decoder.next_frame()?.unwrap_or_default();
/// assert_eq!((frame.event.as_str(), frame.data.as_str()), ("greeting", "hello"));
/// # Ok::<(), ropewalk_events::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    chunk: Bytes,
    /// How much of `chunk` is read.
    read: usize,
    /// Chunks behind `chunk`.
    waiting: VecDeque<Bytes>,
    /// The head of a line whose end is in a later chunk.
    head: Vec<u8>,
    /// The last line ended with a CR, so that an LF here belongs to it.
    after_cr: bool,
    draft: Draft,
    /// Bytes in the lines of the frame so far.
    frame_bytes: usize,
    max_frame_bytes: usize,
    ended: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder for frames up to 16 MiB.
    pub fn new() -> Self {
        Self::with_limit(16 << 20)
    }

    /// A decoder for frames whose lines have at most `max_frame_bytes` together, line ends not counted.
    pub fn with_limit(max_frame_bytes: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            read: 0,
            waiting: VecDeque::new(),
            head: Vec::new(),
            after_cr: false,
            draft: Draft::default(),
            frame_bytes: 0,
            max_frame_bytes,
            ended: false,
        }
    }

    /// Adds what came in. Ignored once the decoder has ended.
    pub fn push(&mut self, chunk: Bytes) {
        if !self.ended {
            self.waiting.push_back(chunk);
        }
    }

    /// The next whole frame, or `None` until more bytes are pushed.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a frame is over the limit. The decoder has then ended: it holds and gives nothing more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        loop {
            let rest = &self.chunk[self.read..];
            let Some(&first) = rest.first() else {
                match self.waiting.pop_front() {
                    Some(chunk) => (self.chunk, self.read) = (chunk, 0),
                    None => return Ok(None),
                }
                continue;
            };
            if mem::take(&mut self.after_cr) && first == b'\n' {
                self.read += 1;
                continue;
            }
            if self.frame_bytes == 0
                && self.head.is_empty()
                && let Some((frame, length)) = self.draft.usual(&self.chunk, self.read, self.max_frame_bytes)
            {
                self.read += length;
                return Ok(Some(frame));
            }
            let rest = &self.chunk[self.read..];
            // A blank line ends each frame, so it is worth a look before a search.
            let end = if first == b'\n' { Some(0) } else { memchr2(b'\n', b'\r', rest) };
            let line = &rest[..end.unwrap_or(rest.len())];
            let frame_bytes = self.frame_bytes + self.head.len() + line.len();
            if frame_bytes > self.max_frame_bytes {
                return Err(self.fail());
            }
            let Some(end) = end else {
                self.head.extend_from_slice(line);
                self.read = self.chunk.len();
                continue;
            };
            self.after_cr = rest[end] == b'\r';
            self.read += end + 1;
            if line.is_empty() && self.head.is_empty() {
                self.frame_bytes = 0;
                match self.draft.dispatch() {
                    None => continue,
                    frame => return Ok(frame),
                }
            }
            self.frame_bytes = frame_bytes;
            if self.head.is_empty() {
                self.draft.line(&self.chunk, line);
            } else {
                self.head.extend_from_slice(line);
                let line = Bytes::from(mem::take(&mut self.head));
                self.draft.line(&line, &line);
            }
        }
    }

    /// Says that no more bytes come. Whole frames can still be taken; the rest is dropped, as the standard says.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The id of the last frame taken, to be sent as `Last-Event-ID` on the next try; empty if there was none.
    pub fn last_event_id(&self) -> &str {
        &self.draft.last_id
    }

    /// How long the server asks to wait before the next try.
    pub fn retry(&self) -> Option<Duration> {
        self.draft.retry
    }

    #[cold]
    fn fail(&mut self) -> DecodeError {
        let max_frame_bytes = self.max_frame_bytes;
        *self = Self { ended: true, ..Self::with_limit(max_frame_bytes) };
        DecodeError { max_frame_bytes }
    }
}
