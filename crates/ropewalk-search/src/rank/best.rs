use std::{cmp::Ordering, collections::BinaryHeap};

/// The few best of many, in memory for those few.
///
/// The higher score is better; of equal scores the smaller key. A score of zero, or none at all, never gets in. `value`
/// is what a caller wants back, such as the text; it is not compared.
#[derive(Debug)]
pub struct Best<K, V> {
    most: usize,
    /// The worst on top.
    heap: BinaryHeap<Entry<K, V>>,
}

impl<K: Ord, V> Best<K, V> {
    /// The `most` best of what will be offered.
    pub fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    /// Takes it in if it is among the best so far.
    pub fn offer(&mut self, score: f64, key: K, value: V) {
        if score > 0.0 && self.most > 0 {
            let entry = Entry { score, key, value };
            if self.heap.len() < self.most {
                self.heap.push(entry);
            } else if let Some(mut worst) = self.heap.peek_mut()
                && entry < *worst
            {
                *worst = entry;
            }
        }
    }

    /// Score, key and value of each, best first.
    pub fn into_sorted(self) -> Vec<(f64, K, V)> {
        self.heap.into_sorted_vec().into_iter().map(|entry| (entry.score, entry.key, entry.value)).collect()
    }
}

/// Ordered from good to bad.
#[derive(Debug)]
struct Entry<K, V> {
    score: f64,
    key: K,
    value: V,
}

impl<K: Ord, V> Ord for Entry<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.key.cmp(&other.key))
    }
}

impl<K: Ord, V> PartialOrd for Entry<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, V> PartialEq for Entry<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord, V> Eq for Entry<K, V> {}
