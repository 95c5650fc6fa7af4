use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Calls `each` with every word of a text as a ranking compares it, in order.
///
/// Words are found by the rules of Unicode (UAX 29), split further at marks such as `_` and `.`, and brought to lower
/// case and compatibility form (NFKC). In scripts that do not set words apart, every character and every pair of
/// neighbours takes their place. No word is left out for being common.
pub(crate) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = String::new();
    // No word reaches over a space, and most of what stands between spaces is ASCII, which is quick.
    for text in text.split_ascii_whitespace() {
        if text.is_ascii() {
            for found in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|found| !found.is_empty()) {
                each(normal(found, &mut word));
            }
        } else {
            each_unicode_word(text, &mut word, &mut each);
        }
    }
}

fn each_unicode_word(text: &str, word: &mut String, each: &mut impl FnMut(&str)) {
    // Where the last character without spaces around it ended, and what it was.
    let mut before: Option<(usize, char)> = None;
    for (at, found) in text.unicode_word_indices() {
        if found.contains(is_unspaced) {
            for (offset, c) in found.char_indices() {
                each(normal(c.encode_utf8(&mut [0; 4]), word));
                if let Some((_, other)) = before.filter(|(end, _)| *end == at + offset) {
                    each(normal(&String::from_iter([other, c]), word));
                }
                before = Some((at + offset + c.len_utf8(), c));
            }
            continue;
        }
        for piece in found.split(is_mark).filter(|piece| !piece.is_empty()) {
            each(normal(piece, word));
        }
    }
}

/// The form in which words are compared, in `buffer`.
fn normal<'a>(word: &str, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    if word.is_ascii() {
        buffer.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    } else {
        buffer.extend(word.nfkc().flat_map(char::to_lowercase));
    }
    buffer
}

/// What may stand inside a Unicode word and yet parts it: in `rope_walk`, `rope.walk`, `l'eau`.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || matches!(c, '\u{2018}' | '\u{2019}' | '\u{b7}' | '\u{2024}' | '\u{2027}')
}

/// Whether `c` is of a script that writes without spaces, or hangs endings on words as Korean does.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'      // Thai, Lao
        | '\u{1000}'..='\u{109f}'    // Burmese
        | '\u{1780}'..='\u{17ff}'    // Khmer
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'    // Kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ac00}'..='\u{d7af}'    // Hangul
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_what_a_reader_would_call_so() {
        let cases = [
            ("The Rope-Walk's 3.5 km!", "the rope walk s 3 5 km"),
            ("fn lay_rope(x: Strand)", "fn lay rope x strand"),
            ("L’ÉCOLE e\u{301}te\u{301} ﬁn Ⅳ", "l école été fin iv"),
            ("Канат и ТРОС", "канат и трос"),
            ("रस्सी बनाना", "रस्सी बनाना"),
            ("حبل طويل", "حبل طويل"),
            ("縄を綯う", "縄 を 縄を 綯 を綯 う 綯う"),
            ("밧줄 a縄b", "밧 줄 밧줄 a 縄 b"),
            ("🧵 — …", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }

    proptest! {
        /// The quick way of ASCII is the general way.
        #[test]
        fn ascii_is_no_special_case(text in "[ -~\t\n]{0,60}") {
            let general: Vec<_> = text.split_ascii_whitespace().flat_map(|piece| words(&format!("{piece}…"))).collect();
            prop_assert_eq!(words(&text), general);
        }

        #[test]
        fn case_and_composition_make_no_difference(text in "[a-zé-ý ]{0,30}") {
            prop_assert_eq!(words(&text.nfd().collect::<String>()), words(&text));
            prop_assert_eq!(words(&text.to_uppercase()), words(&text));
        }
    }
}
