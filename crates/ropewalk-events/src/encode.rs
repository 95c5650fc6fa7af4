use std::io::Write;

use memchr::memchr2;
use serde::Serialize;

/// Appends a frame whose data is `data` as one line of JSON, written straight into `out`.
///
/// A frame with an `id` lets a client resume behind it.
///
/// # Errors
///
/// What `data` fails with; `out` is then as it was.
///
/// ```
/// # use ropewalk_events::encode_frame;
/// let mut out = Vec::new();
/// encode_frame(&mut out, "greeting", Some(7), &["hello"])?;
/// assert_eq!(out, b"event: greeting\nid: 7\ndata: [\"hello\"]\n\n");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn encode_frame(
    out: &mut Vec<u8>,
    event: &str,
    id: Option<u64>,
    data: &impl Serialize,
) -> Result<(), serde_json::Error> {
    let start = out.len();
    begin(out, event, id);
    out.extend_from_slice(b"data: ");
    // JSON text escapes line breaks, so that it is one line.
    let written = serde_json::to_writer(&mut *out, data);
    match written {
        Ok(()) => out.extend_from_slice(b"\n\n"),
        Err(_) => out.truncate(start),
    }
    written
}

/// Appends a frame whose data is `data` as it is, one `data` line for each of its lines.
///
/// The three kinds of line break all arrive as a line feed.
pub fn encode_text_frame(out: &mut Vec<u8>, event: &str, id: Option<u64>, data: &str) {
    begin(out, event, id);
    for line in data.replace("\r\n", "\n").split(['\n', '\r']) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Writes the name and the id; a name ends at a line break, as what follows would be read as another field.
fn begin(out: &mut Vec<u8>, event: &str, id: Option<u64>) {
    let event = event.as_bytes();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(&event[..memchr2(b'\n', b'\r', event).unwrap_or(event.len())]);
    out.push(b'\n');
    if let Some(id) = id {
        let _infallible = writeln!(out, "id: {id}");
    }
}
