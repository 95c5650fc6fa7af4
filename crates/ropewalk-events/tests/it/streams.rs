use std::io;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use proptest::prelude::*;
use ropewalk_events::{Decoder, Event, EventStream, FrameStream, StreamError};

use crate::{
    codec::{cut, lengths},
    story::{Story, wire},
};

fn bytes(chunks: &[&[u8]]) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin {
    stream::iter(chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>())
}

fn all<T>(stream: impl Stream<Item = T>) -> Vec<T> {
    stream.collect::<Vec<_>>().now_or_never().unwrap()
}

proptest! {
    #[test]
    fn events_cross_the_wire_unchanged(lengths in lengths()) {
        let told = Story::default().with_thread().made().queued().working().message().text("Hé").done().events;
        let wire = wire(&told);
        let events: Vec<Event> = all(EventStream::new(bytes(&cut(&wire, &lengths)))).into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(events, told);
    }
}

#[test]
fn nothing_is_read_behind_done() {
    let mut events =
        EventStream::new(bytes(&[b"id: 9\nevent: done\ndata: [DONE]\n\nevent: error\ndata: {}\n\n"]));
    assert_eq!(all(events.by_ref()).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Event::Done]);
    assert!(events.is_done());
    assert_eq!(events.last_event_id(), "9");
}

#[test]
fn a_stream_that_was_cut_off_is_not_done() {
    let mut events = EventStream::new(bytes(&[b"event: done\ndata: [DONE]\n"]));
    assert_eq!(all(events.by_ref()).len(), 0);
    assert!(!events.is_done());
}

#[test]
fn an_event_that_cannot_be_read_does_not_end_the_stream() {
    let events =
        all(EventStream::new(bytes(&[b"event: thread.created\ndata: 1\n\nevent: done\ndata: [DONE]\n\n"])));
    assert!(matches!(events[..], [Err(StreamError::Event(_)), Ok(Event::Done)]));
}

#[test]
fn bytes_that_stop_coming_end_the_stream_behind_what_came() {
    let broken = Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let chunks = [Ok(Bytes::from("id: 4\ndata: a\n\ndata: b")), broken, Ok(Bytes::from("\n\n"))];
    let mut frames = FrameStream::new(stream::iter(chunks));
    let got = all(frames.by_ref());
    assert!(matches!(&got[..], [Ok(frame), Err(StreamError::Bytes(_))] if frame.data == "a"), "{got:?}");
    assert_eq!(frames.last_event_id(), "4");
}

#[test]
fn a_frame_over_the_limit_ends_the_stream() {
    let chunks: [&[u8]; 2] = [b"data: far too long\n\n", b"data: a\n\n"];
    let got = all(FrameStream::with_decoder(bytes(&chunks), Decoder::with_limit(8)));
    assert!(matches!(got[..], [Err(StreamError::Decode(_))]), "{got:?}");
}
