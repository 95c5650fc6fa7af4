//! What a cell prints: text in pieces, kept up to a bound.

/// Turns the bytes of one stream into text, whatever they are and however they are cut.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    /// The beginning of a character that was cut.
    rest: Vec<u8>,
    kept: usize,
    is_cut: bool,
}

impl Printed {
    /// The text that `bytes` complete. Beyond `most` bytes nothing is kept, and the cut is marked once.
    pub(crate) fn take(&mut self, bytes: &[u8], most: usize) -> String {
        if self.is_cut {
            return String::new();
        }
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - cut_character(&self.rest);
        let rest = self.rest.split_off(whole);
        let mut text = String::from_utf8_lossy(&std::mem::replace(&mut self.rest, rest)).into_owned();
        if self.kept + text.len() > most {
            let end =
                (0..=most - self.kept).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
            text.push_str("\n[output cut here: too much was printed]\n");
            self.is_cut = true;
        }
        self.kept += text.len();
        text
    }

    /// The last text, where the stream ended in the middle of a character.
    pub(crate) fn end(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }
}

/// How many bytes at the end of `bytes` may begin a character that goes on.
fn cut_character(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|back| {
            let begin = bytes.len() - back;
            let length = match bytes[begin] {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 0,
            };
            length > *back
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_however_it_is_cut() {
        let text = "añ→🧵\n";
        for cut in 0..=text.len() {
            let mut printed = Printed::default();
            let (first, second) = text.as_bytes().split_at(cut);
            let taken = printed.take(first, 100) + &printed.take(second, 100) + &printed.end();
            assert_eq!(taken, text);
        }
    }

    #[test]
    fn what_is_no_text_is_shown_as_such_and_keeps_nothing_back() {
        let mut printed = Printed::default();
        assert_eq!(printed.take(b"\xffa\xe2", 100), "\u{fffd}a");
        assert_eq!(printed.end(), "\u{fffd}");
    }

    #[test]
    fn a_cut_is_marked_once_and_falls_between_characters() {
        let mut printed = Printed::default();
        assert_eq!(printed.take("→→".as_bytes(), 4), "→\n[output cut here: too much was printed]\n");
        assert_eq!(printed.take(b"more", 4), "");
    }
}
