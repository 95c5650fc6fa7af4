use std::{mem, time::Duration};

use bytes::Bytes;
use memchr::memchr;

use crate::Utf8Bytes;

/// One record of an event stream, as the standard dispatches it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Its name; `message` if the record has none.
    pub event: Utf8Bytes,
    /// Its data lines, joined by line feeds.
    pub data: Utf8Bytes,
    /// The id last seen in the stream, in this record or an earlier one; empty if there was none.
    pub id: Utf8Bytes,
}

/// What the lines since the last blank one add up to, and what outlives them.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    event: Utf8Bytes,
    data: Data,
    id: Option<Utf8Bytes>,
    /// The id of the last record that ended: an id of a record that is cut off does not count.
    pub(crate) last_id: Utf8Bytes,
    pub(crate) retry: Option<Duration>,
    past_first_line: bool,
}

/// One line of data stays where it came in; only more are copied together.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    Line(Utf8Bytes),
    Lines(String),
}

impl Draft {
    /// Takes one line, a part of `chunk` without its end; a blank one ends the frame.
    #[inline]
    pub(crate) fn line(&mut self, chunk: &Bytes, mut line: &[u8]) -> Option<Frame> {
        if !mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        // No field name that counts is longer than `event`.
        let (name, value) = match line.iter().take(6).position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.data.push(Utf8Bytes::from_part(chunk, value)),
            b"event" => self.event = Utf8Bytes::from_part(chunk, value),
            b"id" if memchr(0, value).is_none() => self.id = Some(Utf8Bytes::from_part(chunk, value)),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Frame> {
        if let Some(id) = self.id.take() {
            self.last_id = id;
        }
        let event = mem::take(&mut self.event);
        let data = match mem::take(&mut self.data) {
            Data::None => return None,
            Data::Line(line) => line,
            Data::Lines(lines) => lines.into(),
        };
        let event = if event.is_empty() { Utf8Bytes::from_static("message") } else { event };
        Some(Frame { event, data, id: self.last_id.clone() })
    }
}

impl Data {
    fn push(&mut self, line: Utf8Bytes) {
        *self = match mem::take(self) {
            Self::None => Self::Line(line),
            Self::Line(first) => Self::Lines([&first, "\n", &line].concat()),
            Self::Lines(mut lines) => {
                lines.push('\n');
                lines.push_str(&line);
                Self::Lines(lines)
            }
        };
    }
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_millis)
}
