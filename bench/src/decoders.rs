//! The SSE decoder of ropewalk-events beside public ones, over the same bytes.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};

use crate::{Extent, upstream};

/// Rounds of which the quickest counts.
const ROUNDS: usize = 5;

/// Nanoseconds an event.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) decoder: &'static str,
    /// When each event comes in a piece of its own.
    pub(crate) one_a_piece: f64,
    /// When the bytes come in pieces of 8 KiB, cut anywhere.
    pub(crate) cut_anywhere: f64,
}

/// Reads all pieces; gives how many events were in them.
type Decode = fn(&[Bytes]) -> usize;

const DECODERS: [(&str, Decode); 7] = [
    ("ropewalk-events", ropewalk),
    ("sse-core 0.2.3", sse_core),
    ("sse-parse 0.1.0", sse_parse),
    ("sse-stream 0.3.0", |pieces| count(sse_stream::SseStream::from_bytes_stream(body(pieces)))),
    ("sseer 0.3.1", |pieces| count(sseer::event_stream::EventStream::new(body(pieces)))),
    ("eventsource-stream 0.2.3", |pieces| count(eventsource_stream::EventStream::new(body(pieces)))),
    ("eventsource-stream2 0.4.0", |pieces| count(eventsource_stream2::EventStream::new(body(pieces)))),
];

pub(crate) fn measure(extent: Extent) -> anyhow::Result<Vec<Decoded>> {
    let pieces = upstream::answer(upstream::TOKENS);
    let whole = Bytes::from(pieces.concat());
    let cut: Vec<Bytes> = (0..whole.len())
        .step_by(8192)
        .map(|begin| whole.slice(begin..whole.len().min(begin + 8192)))
        .collect();
    let mut decoded: Vec<Decoded> = DECODERS
        .map(|(decoder, _)| Decoded { decoder, one_a_piece: f64::INFINITY, cut_anywhere: f64::INFINITY })
        .into();
    // In turns, so that what else the machine does falls on all alike.
    for _ in 0..ROUNDS {
        for ((decoder, decode), best) in DECODERS.iter().zip(&mut decoded) {
            for (pieces, best) in [(&pieces, &mut best.one_a_piece), (&cut, &mut best.cut_anywhere)] {
                let seen = decode(pieces);
                ensure!(seen == upstream::TOKENS + 2, "{decoder} saw {seen} events");
                *best = best.min(nanoseconds(*decode, pieces, extent.decoding / ROUNDS as u32));
            }
        }
    }
    Ok(decoded)
}

fn nanoseconds(decode: Decode, pieces: &[Bytes], window: Duration) -> f64 {
    let begun = Instant::now();
    let mut events = 0;
    while begun.elapsed() < window {
        events += decode(black_box(pieces));
    }
    begun.elapsed().as_nanos() as f64 / events as f64
}

fn ropewalk(pieces: &[Bytes]) -> usize {
    let mut decoder = ropewalk_events::Decoder::new();
    let mut events = 0;
    for piece in pieces {
        decoder.push(piece.clone());
        while let Ok(Some(frame)) = decoder.next_frame() {
            black_box(frame);
            events += 1;
        }
    }
    events
}

fn sse_core(pieces: &[Bytes]) -> usize {
    let mut decoder = sse_core::SseDecoder::new();
    let mut events = 0;
    for piece in pieces {
        let mut piece = piece.clone();
        while let Some(Ok(event)) = decoder.next(&mut piece) {
            black_box(event);
            events += 1;
        }
    }
    events
}

fn sse_parse(pieces: &[Bytes]) -> usize {
    let mut parser = sse_parse::SseParser::new();
    let mut events = 0;
    for piece in pieces {
        parser.feed(piece);
        while let Some(event) = parser.next_event() {
            black_box(event);
            events += 1;
        }
    }
    events
}

fn body(pieces: &[Bytes]) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin + '_ {
    stream::iter(pieces.iter().map(|piece| Ok(piece.clone())))
}

/// Drains a decoder that is a stream; it never waits, since its bytes are all there.
fn count<T, E>(events: impl Stream<Item = Result<T, E>>) -> usize {
    let mut events = pin!(events);
    let mut seen = 0;
    while let Some(Some(Ok(event))) = events.next().now_or_never() {
        black_box(event);
        seen += 1;
    }
    seen
}
