//! What counting and cutting promise, for any text.

use proptest::{collection::vec, prelude::*, sample::select};
use ropewalk_tokens::Encoding;

fn encoding() -> impl Strategy<Value = Encoding> {
    select(vec![Encoding::Cl100k, Encoding::O200k])
}

/// Text as people write it and as nobody does: words, code, scripts, signs of several tokens, runs of one thing.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z]{1,12}".prop_map(|word| format!(" {word}")),
        2 => select(vec!["don't", "I'LL", "fooBAR", "1234567", "\r\n\r\n", "\t\t", "   ", "</p>", "'s", "=>", "_"]).prop_map(str::to_owned),
        2 => select(vec!["縄を綯う", "веревка", "حبل", "रस्सी", "🧵", "👩‍👩‍👧‍👦", "e\u{301}", "\u{10ffff}", "\u{200b}", "𒀀𒈙"]).prop_map(str::to_owned),
        1 => (any::<char>(), 1..40_usize).prop_map(|(sign, times)| sign.to_string().repeat(times)),
        1 => any::<String>(),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_limited_count_is_the_count_or_nothing(encoding in encoding(), text in text(), limit in 0..80_usize) {
        let count = encoding.count(&text);
        prop_assert_eq!(encoding.count_up_to(&text, limit), (count <= limit).then_some(count));
    }

    #[test]
    fn a_truncated_text_is_a_beginning_that_fits(encoding in encoding(), text in text(), max in 0..40_usize) {
        let cut = encoding.truncate(&text, max);
        prop_assert!(text.starts_with(cut));
        prop_assert!(encoding.count(cut) <= max);
        prop_assert!(cut == text || encoding.count(cut) + 8 > max, "{} of {}", encoding.count(cut), max);
    }

    #[test]
    fn windows_cover_the_text_and_fit(encoding in encoding(), text in text(), max in 8..40_usize, share in 0..=50_usize) {
        let overlap = max * share / 100;
        let windows: Vec<_> = encoding.windows(&text, max, overlap).collect();
        prop_assert_eq!(windows.is_empty(), text.is_empty());
        prop_assert!(windows.first().is_none_or(|first| first.start == 0));
        prop_assert!(windows.last().is_none_or(|last| last.end == text.len()));
        for window in &windows {
            prop_assert!(encoding.count(&text[window.clone()]) <= max);
        }
        for pair in windows.windows(2) {
            prop_assert!(pair[0].start < pair[1].start && pair[1].start <= pair[0].end && pair[0].end < pair[1].end);
        }
    }

    /// Words of one token each: what is shared can be counted.
    #[test]
    fn neighbours_share_as_many_tokens_as_asked(encoding in encoding(), words in 1..200_usize, max in 2..40_usize, share in 0..=50_usize) {
        let (text, overlap) = (" rope".repeat(words), max * share / 100);
        let windows: Vec<_> = encoding.windows(&text, max, overlap).collect();
        for pair in windows.windows(2) {
            prop_assert_eq!(encoding.count(&text[pair[0].clone()]), max);
            prop_assert_eq!(encoding.count(&text[pair[1].start..pair[0].end]), overlap);
        }
        let steps = words.saturating_sub(max).div_ceil(max - overlap);
        prop_assert_eq!(windows.len(), 1 + steps);
    }

    #[test]
    fn any_sizes_end(text in text(), max in prop_oneof![0..4_usize, Just(usize::MAX)], overlap in prop_oneof![0..4_usize, Just(usize::MAX)]) {
        let windows: Vec<_> = Encoding::O200k.windows(&text, max, overlap).collect();
        prop_assert!(windows.len() <= text.len());
        prop_assert!(windows.last().is_none_or(|last| last.end == text.len()));
    }
}

#[test]
fn counts_are_those_of_the_models() {
    // The first ones as in the OpenAI Cookbook, "How to count tokens with tiktoken".
    let cases = [
        ("", 0, 0),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
        ("<|endoftext|>", 7, 7),
    ];
    for (text, cl100k, o200k) in cases {
        assert_eq!((Encoding::Cl100k.count(text), Encoding::O200k.count(text)), (cl100k, o200k), "{text}");
    }
}

#[test]
fn a_limit_bounds_the_work_on_a_long_text() {
    let text = " rope".repeat(20_000_000);
    assert_eq!(Encoding::O200k.count_up_to(&text, 1_000), None);
    assert_eq!(Encoding::O200k.truncate(&text, 3), " rope rope rope");
    assert_eq!(Encoding::O200k.windows(&text, 2, 1).nth(1), Some(5..15));
}
