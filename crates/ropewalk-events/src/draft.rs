use std::{mem, time::Duration};

use bytes::Bytes;
use memchr::{memchr, memchr2};

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
    /// The name met last. Names repeat, so that most are known by one comparison.
    name: Utf8Bytes,
    named: bool,
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
    /// The frame at `at`, and its length, if it is of the usual form and whole in its chunk: a name or none, behind a
    /// name an id or none, one line of data, line feeds. This is the short way past [`line`](Self::line) and
    /// [`dispatch`](Self::dispatch) that nearly every frame of a model's or a run's stream takes; they must agree.
    #[inline]
    pub(crate) fn usual(&mut self, chunk: &Bytes, at: usize, max_bytes: usize) -> Option<(Frame, usize)> {
        let rest = &chunk[at..];
        let (name, name_line) = field(rest, b"event: ")?;
        let (id, id_line) = if name_line > 0 { field(&rest[name_line..], b"id: ")? } else { (&[][..], 0) };
        let head = name_line + id_line;
        let data = rest[head..].strip_prefix(b"data: ")?;
        let length = memchr2(b'\n', b'\r', data)?;
        let frame_bytes = name_line.saturating_sub(1) + id_line.saturating_sub(1) + b"data: ".len() + length;
        if !data[length..].starts_with(b"\n\n") || frame_bytes > max_bytes || memchr(0, id).is_some() {
            return None;
        }
        self.past_first_line = true;
        if id_line > 0 {
            self.last_id = Utf8Bytes::from_part(chunk.slice_ref(id));
        }
        let event = match name {
            b"" => Utf8Bytes::from_static("message"),
            name => {
                if self.name.as_bytes() != name {
                    self.name = name_of(name);
                }
                self.name.clone()
            }
        };
        let begins = at + head + b"data: ".len();
        let data = Utf8Bytes::from_part(chunk.slice(begins..begins + length));
        let frame = Frame { event, data, id: self.last_id.clone() };
        Some((frame, head + b"data: ".len() + length + 2))
    }

    /// Takes one line that is not blank, a part of `chunk` without its end.
    #[inline]
    pub(crate) fn line(&mut self, chunk: &Bytes, mut line: &[u8]) {
        if !mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        // The colon stands behind `id`, `data`, `event` or `retry`, or the line does not count.
        let (name, value) = match [2, 4, 5].into_iter().find(|at| line.get(*at) == Some(&b':')) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.data.push(Utf8Bytes::from_part(chunk.slice_ref(value))),
            b"event" => {
                if self.name.as_bytes() != value {
                    self.name = name_of(value);
                }
                self.named = !value.is_empty();
            }
            b"id" if memchr(0, value).is_none() => {
                self.id = Some(Utf8Bytes::from_part(chunk.slice_ref(value)))
            }
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
        let named = mem::take(&mut self.named);
        let data = match mem::take(&mut self.data) {
            Data::None => return None,
            Data::Line(line) => line,
            Data::Lines(lines) => lines.into(),
        };
        let event = if named { self.name.clone() } else { Utf8Bytes::from_static("message") };
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

/// The value of the field that `bytes` begin with, and the length of its line, both nothing if another field does;
/// `None` if the line does not end, or with more than a line feed.
fn field<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(&'a [u8], usize)> {
    let Some(tail) = bytes.strip_prefix(name) else { return Some((&[], 0)) };
    let end = memchr2(b'\n', b'\r', tail)?;
    (tail[end] == b'\n').then(|| (&tail[..end], name.len() + end + 1))
}

/// The name `value`, apart from its chunk; those of our own events live as long as the program, and are not counted.
fn name_of(value: &[u8]) -> Utf8Bytes {
    let name = String::from_utf8_lossy(value);
    Event::known_name(&name).map_or_else(|| name.into_owned().into(), Utf8Bytes::from_static)
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_millis)
}
