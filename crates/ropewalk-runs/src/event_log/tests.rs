use std::task::{Context, Poll, Waker};

use proptest::{collection::vec, prelude::*};
use ropewalk_events::Event;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// This many events that need not be stored.
    Tell(usize),
    /// All that was told is stored, and this many events with it.
    Store(usize),
    /// Reader number so much reads what there is.
    Read(usize),
    /// Another reader comes, behind this part of what was told, in eighths.
    Come(u64),
    /// Reader number so much leaves.
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..40_usize).prop_map(Step::Tell),
        2 => (0..4_usize).prop_map(Step::Store),
        3 => (0..6_usize).prop_map(Step::Read),
        1 => (0..=8_u64).prop_map(Step::Come),
        1 => (0..6_usize).prop_map(Step::Leave),
    ]
}

fn events(count: usize) -> Vec<Event> {
    // Long enough for what is kept to overflow.
    vec![Event::Unknown { event: "x".into(), data: "y".repeat(2000).into() }; count]
}

fn numbers(frames: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(frames).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Each reader gets each event once and in order, or is told that it must go to the store for what is stored there.
    #[test]
    fn readers_miss_nothing_that_is_not_stored(first in 0..5_u64, steps in vec(step(), 1..80)) {
        let log = EventLog::new(first, first + 3, &[]);
        let (mut told, mut stored) = (first + 3, first);
        let mut readers: Vec<Option<(Tail, u64)>> = Vec::new();
        let context = Context::from_waker(Waker::noop());
        for step in steps {
            match step {
                Step::Tell(count) => {
                    log.tell(&events(count));
                    told += count as u64;
                }
                Step::Store(count) => {
                    let draft = log.draft(&events(count));
                    prop_assert_eq!(draft.last, told + count as u64);
                    log.tell_stored(&draft);
                    told = draft.last;
                    stored = told;
                }
                Step::Read(reader) => {
                    let Some(Some((tail, after))) = readers.get_mut(reader) else { continue };
                    match tail.poll(&context) {
                        Poll::Pending => prop_assert!(*after >= told || told == first + 3),
                        Poll::Ready(Found::Frames(frames, last)) => {
                            let from = (*after).max(first + 3) + 1;
                            prop_assert_eq!(numbers(&frames), (from..=told).collect::<Vec<_>>());
                            prop_assert_eq!(last, told);
                            *after = last;
                        }
                        Poll::Ready(Found::TooLate) => {
                            prop_assert!(*after < stored);
                            readers[reader] = None;
                        }
                        Poll::Ready(Found::Nothing(_)) => prop_assert!(false, "nobody ended the log"),
                    }
                }
                Step::Come(eighths) => {
                    let after = first + (told - first) * eighths / 8;
                    match log.read(after) {
                        Some(tail) => readers.push(Some((tail, after))),
                        None => prop_assert!(after < stored),
                    }
                }
                Step::Leave(reader) => {
                    if let Some(reader) = readers.get_mut(reader) {
                        *reader = None;
                    }
                }
            }
            let inner = log.0.lock();
            prop_assert!(inner.stored <= MOST_STORED_BYTES);
        }
        log.close(End::LetGo);
        for (mut tail, after) in readers.into_iter().flatten() {
            match tail.poll(&context) {
                Poll::Ready(Found::Frames(frames, _)) => prop_assert_eq!(numbers(&frames).pop(), Some(told)),
                Poll::Ready(Found::TooLate) => prop_assert!(after < stored),
                Poll::Ready(Found::Nothing(end)) => prop_assert_eq!(end, End::LetGo),
                Poll::Pending => prop_assert!(false, "a closed log keeps nobody waiting"),
            }
        }
    }
}
