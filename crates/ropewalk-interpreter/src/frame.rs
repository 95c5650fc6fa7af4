//! Frames between the server and a worker: the length of a header in four bytes, the header as JSON, then as many raw bytes
//! as its `bytes` says. What a worker sends is a stranger's word: bounded, and believed of its own session only.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The longest header of a worker. Tracebacks are cut far below it.
const LONGEST_HEADER: usize = 256 * 1024;

/// A cell to run.
#[derive(Debug, Serialize)]
pub(crate) struct Order<'a> {
    pub(crate) cell: &'a str,
    pub(crate) code: &'a str,
    /// Bytes: a larger one is not sent.
    pub(crate) largest_image: usize,
}

impl Order<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Strings and a number always are JSON.
        let header = serde_json::to_vec(self).unwrap_or_default();
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &header].concat()
    }
}

/// What a worker says.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    /// The cell that it speaks of.
    pub(crate) cell: String,
    #[serde(flatten)]
    pub(crate) said: Said,
    #[serde(default)]
    bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Said {
    /// The bytes are an image.
    Image,
    /// The cell is over.
    End { error: Option<Failure> },
}

/// How a cell failed.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) traceback: String,
}

/// A frame that is none: the channel cannot be used any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Takes a frame from the front of `buffer`, once it is there whole.
pub(crate) fn take(buffer: &mut BytesMut, longest_body: usize) -> Result<Option<(Header, Bytes)>, Broken> {
    let Some(length) = buffer.first_chunk() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Broken)?;
    if length > LONGEST_HEADER {
        return Err(Broken);
    }
    let Some(header) = buffer.get(4..4 + length) else { return Ok(None) };
    let header: Header = serde_json::from_slice(header).map_err(|_| Broken)?;
    if header.bytes > longest_body {
        return Err(Broken);
    }
    if buffer.len() < 4 + length + header.bytes {
        return Ok(None);
    }
    buffer.advance(4 + length);
    let body = buffer.split_to(header.bytes).freeze();
    Ok(Some((header, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, body: &[u8]) -> BytesMut {
        let length = u32::try_from(header.len()).expect("short");
        [&length.to_be_bytes()[..], header.as_bytes(), body].concat().as_slice().into()
    }

    #[test]
    fn a_frame_is_taken_once_it_is_whole() {
        let whole = frame(r#"{"kind":"image","cell":"1","bytes":3}"#, b"png");
        for cut in 0..whole.len() {
            assert!(take(&mut whole[..cut].into(), 10).expect("no frame is broken").is_none());
        }
        let mut buffer = whole.clone();
        buffer.extend_from_slice(b"next");
        let (header, body) = take(&mut buffer, 10).expect("it is a frame").expect("it is whole");
        assert_eq!((header.cell.as_str(), &body[..], &buffer[..]), ("1", &b"png"[..], &b"next"[..]));
    }

    #[test]
    fn what_is_too_long_or_no_frame_breaks_the_channel() {
        for broken in [
            frame(r#"{"kind":"image","cell":"1","bytes":11}"#, b""),
            frame(r#"{"kind":"magic","cell":"1"}"#, b""),
            frame("[]", b""),
            BytesMut::from(&[0xff_u8; 8][..]),
        ] {
            assert_eq!(take(&mut broken.clone(), 10).map(|_| ()), Err(Broken), "{broken:?}");
        }
    }
}
