use std::time::SystemTime;

use parking_lot::Mutex;
use rand::RngExt;
use rand::distr::Alphanumeric;
use ropewalk_types::IdSource;

/// Digits in the order of their bytes, so that text sorts like the numbers it stands for.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TIME_DIGITS: u32 = 7; // Milliseconds since 1970, good until 2081.
const COUNT_DIGITS: u32 = 4;
const RANDOM_DIGITS: usize = 13; // 77 bits.

/// Time and count of the newest id of this process.
static NEWEST: Mutex<(u64, u64)> = Mutex::new((0, 0));

/// Makes ids that sort by time and cannot be guessed: 24 base62 characters.
///
/// Seven are the time in milliseconds, four count the ids of that millisecond, thirteen are random. Within a
/// process each id sorts behind the one before, even if the clock steps back.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl IdSource for TimeOrderedIds {
    fn body(&self) -> String {
        let (time, count) = tick(now_ms());
        let mut body = String::with_capacity(24);
        push_base62(&mut body, time, TIME_DIGITS);
        push_base62(&mut body, count, COUNT_DIGITS);
        body.extend(rand::rng().sample_iter(Alphanumeric).take(RANDOM_DIGITS).map(char::from));
        body
    }
}

fn now_ms() -> u64 {
    // A clock before 1970 counts as 1970: ids stay unique, and order is by count.
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Moves [`NEWEST`] forward: to `now`, or else to the next count, which carries into the time.
fn tick(now: u64) -> (u64, u64) {
    let mut newest = NEWEST.lock();
    *newest = match *newest {
        (time, _) if now > time => (now, 0),
        (time, count) if count + 1 < 62_u64.pow(COUNT_DIGITS) => (time, count + 1),
        (time, _) => (time + 1, 0),
    };
    *newest
}

fn push_base62(text: &mut String, number: u64, digits: u32) {
    text.extend(
        (0..digits).rev().map(|place| char::from(DIGITS[(number / 62_u64.pow(place) % 62) as usize])),
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_id_sorts_behind_the_one_before() {
        let ids: Vec<_> = (0..10_000).map(|_| TimeOrderedIds.body()).collect();
        assert!(ids.iter().all(|id| id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert!(ids.is_sorted_by(|a, b| a[..11] < b[..11]));
    }

    #[test]
    fn no_two_threads_make_the_same_id() {
        let ids: BTreeSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Vec::from_iter((0..1000).map(|_| TimeOrderedIds.body()))))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 8000);
    }

    #[test]
    fn digits_sort_like_their_numbers() {
        let text = |number| {
            let mut text = String::new();
            push_base62(&mut text, number, 4);
            text
        };
        assert_eq!(text(61), "000z");
        assert_eq!(text(62), "0010");
        assert!((0..62_u64.pow(4)).step_by(997).map(text).is_sorted());
    }
}
