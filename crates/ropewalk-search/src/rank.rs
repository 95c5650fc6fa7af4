mod best;

use std::collections::HashMap;

pub use best::Best;

use crate::words::each_word;

/// How fast more of the same word stops to matter. With `B`, tuned for passages: Lin et al., *Pyserini* (2021).
const K1: f64 = 0.8;
/// How much a chunk's length matters.
const B: f64 = 0.7;

/// Words of one query text that are looked at.
const MAX_WORDS: usize = 1_000;

/// Query texts, taken apart into words: the first step of ranking.
///
/// ```
/// use ropewalk_search::{Best, RankQuery};
///
/// let chunks = ["Hemp swells when wet.", "Nylon stretches, hemp does not.", "Ropes are laid."];
/// let query = RankQuery::new(["does wet hemp swell?"]);
///
/// let mut corpus = query.corpus();
/// chunks.iter().for_each(|chunk| corpus.add(chunk));
///
/// let ranker = corpus.ranker();
/// let mut best = Best::new(2);
/// for (place, chunk) in chunks.iter().enumerate() {
///     best.offer(ranker.score(chunk), place, chunk);
/// }
/// let places: Vec<usize> = best.into_sorted().into_iter().map(|(_, place, _)| place).collect();
/// assert_eq!(places, [0, 1]);
/// ```
#[derive(Debug, Clone)]
pub struct RankQuery {
    /// Each word of any text, and its number.
    words: HashMap<String, usize>,
    /// The words of each text, by number.
    texts: Vec<Vec<usize>>,
}

impl RankQuery {
    /// Takes texts apart; of each, its first 1,000 words count, each once. A chunk is as good as the text that it fits
    /// best.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut words = HashMap::new();
        let texts = texts.into_iter().map(|text| {
            let (mut numbers, mut read) = (Vec::new(), 0);
            each_word(text.as_ref(), |word| {
                read += 1;
                if read <= MAX_WORDS {
                    let next = words.len();
                    numbers.push(*words.entry(word.to_owned()).or_insert(next));
                }
            });
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        });
        let texts = texts.collect::<Vec<_>>();
        Self { words, texts }
    }

    /// No chunk can fit it: it has no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Statistics over no chunk yet.
    pub fn corpus(&self) -> Corpus<'_> {
        Corpus {
            query: self,
            chunks: 0,
            length: 0,
            holders: vec![0; self.words.len()],
            counts: vec![0; self.words.len()],
        }
    }

    /// Counts each word of the query in `text`; returns how many words the text has.
    fn count(&self, text: &str, counts: &mut [u32]) -> u64 {
        let mut length = 0;
        counts.fill(0);
        each_word(text, |word| {
            length += 1;
            if let Some(&number) = self.words.get(word) {
                counts[number] += 1;
            }
        });
        length
    }
}

/// Statistics of the chunks among which is searched, as a query needs them: the first pass.
///
/// Its size depends on the query alone.
#[derive(Debug, Clone)]
pub struct Corpus<'q> {
    query: &'q RankQuery,
    chunks: u64,
    /// Words of all chunks together.
    length: u64,
    /// For each word of the query, how many chunks have it.
    holders: Vec<u64>,
    /// Room to count one chunk.
    counts: Vec<u32>,
}

impl<'q> Corpus<'q> {
    /// Takes a chunk into account.
    pub fn add(&mut self, chunk: &str) {
        self.chunks += 1;
        self.length += self.query.count(chunk, &mut self.counts);
        for (holders, count) in self.holders.iter_mut().zip(&self.counts) {
            *holders += u64::from(*count > 0);
        }
    }

    /// What scores chunks by these statistics.
    pub fn ranker(&self) -> Ranker<'q> {
        let weight = |holders: &u64| {
            let holders = *holders.max(&1) as f64;
            (1.0 + (self.chunks as f64 - holders + 0.5).max(0.5) / (holders + 0.5)).ln()
        };
        Ranker {
            query: self.query,
            weights: self.holders.iter().map(weight).collect(),
            average: self.length.max(1) as f64 / self.chunks.max(1) as f64,
        }
    }
}

/// Scores chunks: the second pass.
#[derive(Debug, Clone)]
pub struct Ranker<'q> {
    query: &'q RankQuery,
    /// How much each word of the query weighs: more, the fewer chunks have it.
    weights: Vec<f64>,
    /// Words of an average chunk.
    average: f64,
}

impl Ranker<'_> {
    /// How well a chunk fits: the root of its BM25 as a share of the most that any chunk could reach, from 0 (no word
    /// in common) up to but not including 1.
    ///
    /// A word with weight `w` that a chunk of average length has `n` times adds `w * n / (n + 0.8)`; the sum is divided
    /// by that of all `w`. In longer chunks a word counts a little less, in shorter ones more. The root changes no
    /// order; it spreads the scores, so that a chunk of average length with every word once has 0.75.
    ///
    /// # Source
    ///
    /// Robertson and Zaragoza, *The Probabilistic Relevance Framework* (2009), with `k1 = 0.8`, `b = 0.7` and the
    /// logarithm of weights kept positive by adding one, as Lucene does. A word that no chunk has weighs as if one had
    /// it.
    pub fn score(&self, chunk: &str) -> f64 {
        let mut counts = vec![0; self.weights.len()];
        let length = self.query.count(chunk, &mut counts) as f64;
        let damping = K1 * (1.0 - B + B * length / self.average);
        let score = |words: &Vec<usize>| {
            let (mut reached, mut possible) = (0.0, f64::MIN_POSITIVE);
            for &word in words {
                let count = f64::from(counts[word]);
                reached += self.weights[word] * count / (count + damping);
                possible += self.weights[word];
            }
            (reached / possible).sqrt()
        };
        self.query.texts.iter().map(score).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests;
