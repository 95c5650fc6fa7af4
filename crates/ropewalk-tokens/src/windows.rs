use std::{collections::VecDeque, iter::FusedIterator, ops::Range};

use crate::Encoding;

/// A place where a text may be cut: a token and a character end here.
#[derive(Clone, Copy)]
struct Cut {
    /// Where it is, in bytes.
    at: usize,
    /// How many tokens of the text end up to here.
    tokens: usize,
}

/// Overlapping windows over a text, as byte ranges; see [`Encoding::windows`].
///
/// - The windows are in order and cover the text without a gap. An empty text has none.
/// - Each begins and ends between characters.
/// - Each has at most `max_tokens` tokens, counted alone; but a single character is a window whatever it counts.
/// - Two neighbours share `overlap` tokens of the text, or up to three fewer where a character is spelt by several
///   tokens. An overlap of `max_tokens` or more is one of `max_tokens - 1`.
///
/// It is lazy: tokens are read as windows are taken, and it remembers those of one window and one word.
pub struct Windows<'a> {
    encoding: Encoding,
    text: &'a str,
    max_tokens: usize,
    overlap: usize,
    /// The words whose tokens were not read yet.
    words: Box<dyn Iterator<Item = &'a str> + Send + 'a>,
    /// How far tokens were read.
    read: Cut,
    /// Where the next window begins, then the cuts behind that place, as far as they were read.
    cuts: VecDeque<Cut>,
}

impl<'a> Windows<'a> {
    pub(crate) fn new(encoding: Encoding, text: &'a str, max_tokens: usize, overlap: usize) -> Self {
        let max_tokens = max_tokens.max(1);
        let start = Cut { at: 0, tokens: 0 };
        let words = Box::new(encoding.tokenizer().split(text));
        let overlap = overlap.min(max_tokens - 1);
        Self { encoding, text, max_tokens, overlap, words, read: start, cuts: VecDeque::from([start]) }
    }

    /// Reads on until the window that begins at the first cut cannot grow any more.
    fn fill(&mut self, start: Cut) {
        let bpe = &self.encoding.tokenizer().bpe;
        while self.cuts.len() < 2 || self.read.tokens <= start.tokens + self.max_tokens {
            let Some(word) = self.words.next() else { break };
            for token in bpe.encode_via_backtracking(word.as_bytes()) {
                self.read.at += bpe.token_len(token);
                self.read.tokens += 1;
                if self.text.is_char_boundary(self.read.at) {
                    self.cuts.push_back(self.read);
                }
            }
        }
    }

    /// The last cut of the window: a text cut out of its surroundings may count more than it did within them.
    fn end(&self, start: Cut) -> usize {
        let mut end =
            self.cuts.partition_point(|cut| cut.tokens <= start.tokens + self.max_tokens).max(2) - 1;
        let fits = |end: usize| {
            let window = &self.text[start.at..self.cuts[end].at];
            self.encoding.count_up_to(window, self.max_tokens).is_some()
        };
        while end > 1 && !fits(end) {
            end -= 1;
        }
        end
    }
}

impl Iterator for Windows<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = *self.cuts.front()?;
        self.fill(start);
        if self.cuts.len() < 2 {
            self.cuts.clear();
            return None;
        }
        let end = self.end(start);
        let range = start.at..self.cuts[end].at;
        if range.end == self.text.len() {
            self.cuts.clear();
        } else {
            let shared = self.cuts[end].tokens - self.overlap.min(self.cuts[end].tokens);
            let next = self.cuts.partition_point(|cut| cut.tokens < shared).clamp(1, end);
            self.cuts.drain(..next);
        }
        Some(range)
    }
}

impl FusedIterator for Windows<'_> {}

impl std::fmt::Debug for Windows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Windows")
            .field("encoding", &self.encoding)
            .field("at", &self.cuts.front().map(|c| c.at))
            .finish_non_exhaustive()
    }
}
