use std::{mem, time::Duration};

use bytes::Bytes;
use memchr::memchr;

use crate::{Event, Utf8Bytes};

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
    event: Option<Utf8Bytes>,
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
    /// Takes one line that is not blank, a part of `chunk` without its end.
    #[inline]
    pub(crate) fn line(&mut self, chunk: &Bytes, mut line: &[u8]) {
        if !mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        // No field name that counts is longer than `event`.
        let (name, value) = match line.iter().take(6).position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.data.push(Utf8Bytes::from_part(chunk, value)),
            b"event" => self.event = Some(name_of(chunk, value)),
            b"id" if memchr(0, value).is_none() => self.id = Some(Utf8Bytes::from_part(chunk, value)),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
    }

    /// Takes a blank line, which ends the frame, if there is one.
    #[inline]
    pub(crate) fn dispatch(&mut self) -> Option<Frame> {
        self.past_first_line = true;
        if let Some(id) = self.id.take() {
            self.last_id = id;
        }
        let event = self.event.take().unwrap_or(Utf8Bytes::from_static("message"));
        let data = match mem::take(&mut self.data) {
            Data::None => return None,
            Data::Line(line) => line,
            Data::Lines(lines) => lines.into(),
        };
        Some(Frame { event, data, id: self.last_id.clone() })
    }
}

impl Data {
    #[inline]
    fn push(&mut self, line: Utf8Bytes) {
        match self {
            Self::None => *self = Self::Line(line),
            Self::Line(first) => *self = Self::Lines([first, "\n", &line].concat()),
            Self::Lines(lines) => {
                lines.push('\n');
                lines.push_str(&line);
            }
        }
    }
}

/// The name `value`; the names of our own events are shared by all, as to count each use would cost more than to
/// know it.
fn name_of(chunk: &Bytes, value: &[u8]) -> Utf8Bytes {
    match Event::known_name(value) {
        Some(name) => Utf8Bytes::from_static(name),
        None => Utf8Bytes::from_part(chunk, value),
    }
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_millis)
}
