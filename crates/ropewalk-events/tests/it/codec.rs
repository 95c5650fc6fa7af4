use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use ropewalk_events::{DecodeError, Decoder, Frame, encode_frame, encode_text_frame};

/// All frames of `chunks`, the error that ended them, and what outlives frames.
#[derive(Debug, PartialEq)]
struct Decoded {
    frames: Vec<Frame>,
    error: Option<DecodeError>,
    last_event_id: String,
    retry: Option<u64>,
}

fn decode<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::with_limit(limit);
    let (mut frames, mut error) = (Vec::new(), None);
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(found) => error = Some(found),
            }
        }
    }
    decoder.finish();
    let retry = decoder.retry().map(|retry| retry.as_millis() as u64);
    Decoded { frames, error, last_event_id: decoder.last_event_id().to_owned(), retry }
}

/// The standard, word for word and slow.
fn by_the_book(bytes: &[u8]) -> Decoded {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (whole_lines, _cut_off) = text.rsplit_once('\n').unwrap_or(("", ""));
    let mut decoded = Decoded { frames: Vec::new(), error: None, last_event_id: String::new(), retry: None };
    let (mut event, mut data, mut id) = (String::new(), String::new(), String::new());
    for line in whole_lines.split('\n').take(if text.contains('\n') { usize::MAX } else { 0 }) {
        if line.is_empty() {
            decoded.last_event_id.clone_from(&id);
            let (name, body) = (std::mem::take(&mut event), std::mem::take(&mut data));
            if let Some(body) = body.strip_suffix('\n') {
                let name = if name.is_empty() { "message" } else { &name };
                decoded.frames.push(Frame { event: name.into(), data: body.into(), id: id.as_str().into() });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event = value.to_owned(),
            "data" => data += &format!("{value}\n"),
            "id" if !value.contains('\0') => id = value.to_owned(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                decoded.retry = value.parse().ok().or(decoded.retry);
            }
            _ => {}
        }
    }
    decoded
}

/// What streams are made of.
const WORDS: &[&[u8]] = &[
    b"data",
    b"event",
    b"id",
    b"retry",
    b":",
    b": ",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"12",
    b"x",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xC3\xA9",
    b"\xE2\x82",
    b"\xFF",
    b"data: {}\n\n",
    b"event: a\n",
    b"id: 7\n",
];

/// Bytes that are often nearly a stream.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let word =
        prop_oneof![9 => prop::sample::select(WORDS).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..9)];
    vec(word, 0..40).prop_map(|words| words.concat())
}

/// Cuts `bytes` into pieces of the given lengths, round and round.
pub(crate) fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        let (piece, rest) = bytes.split_at((*length).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

/// Lengths of pieces; never nothing but empty ones.
pub(crate) fn lengths() -> impl Strategy<Value = Vec<usize>> {
    (vec(0..30usize, 0..8), 1..30usize).prop_map(|(mut lengths, last)| {
        lengths.push(last);
        lengths
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decoder_reads_by_the_book_however_bytes_are_cut(bytes in stream(), lengths in lengths()) {
        let expected = by_the_book(&bytes);
        prop_assert_eq!(&decode(1 << 20, [&*bytes]), &expected);
        prop_assert_eq!(&decode(1 << 20, cut(&bytes, &lengths)), &expected);
    }

    #[test]
    fn a_limit_is_met_at_the_same_frame_however_bytes_are_cut(bytes in stream(), lengths in lengths(), limit in 0..40usize) {
        prop_assert_eq!(decode(limit, [&*bytes]), decode(limit, cut(&bytes, &lengths)));
    }

    #[test]
    fn what_is_encoded_is_decoded(name in "[a-z.]{1,9}", id: Option<u64>, data: String, text in "(?s).{0,20}", lengths in lengths()) {
        let mut out = Vec::new();
        encode_frame(&mut out, &name, id, &data).unwrap();
        encode_text_frame(&mut out, &name, None, &text);
        let id = id.map_or(String::new(), |id| id.to_string());
        let frame = |data: String| Frame { event: name.as_str().into(), data: data.into(), id: id.as_str().into() };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let decoded = decode(1 << 20, cut(&out, &lengths));
        prop_assert_eq!(decoded.frames, [frame(serde_json::to_string(&data).unwrap()), frame(text)]);
    }
}

#[test]
fn a_line_that_came_in_one_piece_is_not_copied() {
    let chunk = Bytes::from_static(b"data: cut\n\nevent: a\ndata: here\n\n");
    let mut decoder = Decoder::new();
    decoder.push(chunk.slice(..7));
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.push(chunk.slice(7..));
    assert_eq!(decoder.next_frame().unwrap().unwrap().data, "cut");
    let frame = decoder.next_frame().unwrap().unwrap();
    assert!(chunk.as_ptr_range().contains(&frame.data.as_ptr()));
}

#[test]
fn a_frame_ends_with_its_cr_and_waits_for_no_lf() {
    let mut decoder = Decoder::new();
    decoder.push("data: a\r\n\r".into());
    assert_eq!(decoder.next_frame().unwrap().unwrap().data, "a");
    decoder.push("\ndata: b\r\r".into());
    assert_eq!(decoder.next_frame().unwrap().unwrap().data, "b");
}

#[test]
fn an_id_counts_once_its_frame_is_whole() {
    let mut decoder = Decoder::new();
    decoder.push("id: 1\ndata: a\n\nid: 2\ndata: b\n".into());
    assert!(decoder.next_frame().unwrap().is_some());
    assert_eq!(decoder.next_frame(), Ok(None));
    assert_eq!(decoder.last_event_id(), "1");
    decoder.push("\n".into());
    assert_eq!(decoder.next_frame().unwrap().unwrap().id, "2");
}

#[test]
fn a_decoder_over_its_limit_holds_nothing_and_takes_nothing() {
    let mut decoder = Decoder::with_limit(8);
    decoder.push("data: ok\n\ndata: too long\n\ndata: a\n\n".into());
    assert_eq!(decoder.next_frame().unwrap().unwrap().data, "ok");
    assert_eq!(decoder.next_frame().unwrap_err().max_frame_bytes, 8);
    decoder.push("data: b\n\n".into());
    assert_eq!(decoder.next_frame(), Ok(None));
}

#[test]
fn comments_for_hours_do_not_add_up_to_a_frame() {
    let mut decoder = Decoder::with_limit(64);
    for _ in 0..1_000 {
        decoder.push(": keep-alive\n\n".into());
        assert_eq!(decoder.next_frame(), Ok(None));
    }
}

#[test]
fn a_name_cannot_smuggle_in_a_field() {
    let mut out = Vec::new();
    encode_text_frame(&mut out, "a\ndata: b", None, "c");
    assert_eq!(out, b"event: a\ndata: c\n\n");
}

#[test]
fn what_cannot_be_encoded_leaves_no_trace() {
    let mut out = b"before".to_vec();
    let keys_are_not_text = std::collections::HashMap::from([([1u8], 1u8)]);
    assert!(encode_frame(&mut out, "a", Some(1), &keys_are_not_text).is_err());
    assert_eq!(out, b"before");
}
