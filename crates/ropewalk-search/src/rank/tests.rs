use proptest::{collection::vec, prelude::*};

use super::*;

fn scores(queries: &[&str], chunks: &[&str]) -> Vec<f64> {
    let query = RankQuery::new(queries);
    let mut corpus = query.corpus();
    chunks.iter().for_each(|chunk| corpus.add(chunk));
    let ranker = corpus.ranker();
    chunks.iter().map(|chunk| ranker.score(chunk)).collect()
}

#[test]
fn a_score_is_the_root_of_bm25_as_a_share_of_the_most() {
    let chunks = ["hemp rope rope", "nylon rope", "steel"];
    let [first, second, third] = scores(&["hemp rope"], &chunks)[..] else { panic!("three scores") };

    let (hemp, rope) = ((1.0_f64 + 2.5 / 1.5).ln(), (1.0_f64 + 1.5 / 2.5).ln());
    let damping = |words: f64| 0.8 * (0.3 + 0.7 * words / 2.0);
    let share = (hemp / (1.0 + damping(3.0)) + rope * 2.0 / (2.0 + damping(3.0))) / (hemp + rope);
    assert!((first - share.sqrt()).abs() < 1e-12);
    let share = rope / (1.0 + damping(2.0)) / (hemp + rope);
    assert!((second - share.sqrt()).abs() < 1e-12);
    assert_eq!(third, 0.0);
}

#[test]
fn rare_words_and_more_of_them_and_short_chunks_win() {
    let score = |queries, chunks| scores(queries, chunks);
    let rare = score(&["the hawser"], &["the hawser", "the the", "the rope"]);
    assert!(rare[0] > rare[1] && rare[1] > rare[2]);
    let long = score(&["hawser"], &["a hawser", "a hawser on a quay by the sea"]);
    assert!(long[0] > long[1]);
}

#[test]
fn of_several_queries_the_best_counts() {
    let chunks = ["hemp rope", "nylon", "steel wire"];
    let (hemp, wire) = (scores(&["hemp"], &chunks), scores(&["wire cutter"], &chunks));
    assert_eq!(scores(&["hemp", "wire cutter"], &chunks), [hemp[0], 0.0, wire[2]]);
}

#[test]
fn words_in_scripts_without_spaces_are_found() {
    let chunks = ["東京で縄を綯う", "京都の天気", "밧줄을 꼬다"];
    let found = scores(&["東京"], &chunks);
    assert!(found[0] > found[1] && found[1] > 0.0 && found[2] == 0.0);
    assert!(scores(&["밧줄"], &chunks)[2] > 0.5);
}

#[test]
fn nothing_is_found_by_no_words_or_among_no_chunks() {
    assert!(RankQuery::new(["?! …", ""]).is_empty());
    assert_eq!(scores(&["?!"], &["a rope"]), [0.0]);
    assert_eq!(scores(&[], &["a rope"]), [0.0]);
    let query = RankQuery::new(["rope"]);
    let score = query.corpus().ranker().score("rope");
    assert!(score > 0.0 && score < 1.0);
}

proptest! {
    #[test]
    fn scores_stay_in_bounds(queries in vec(any::<String>(), 0..3), chunks in vec("[a-d縄綯 ]{0,30}", 0..8)) {
        let queries: Vec<&str> = queries.iter().map(String::as_str).chain(["a b 縄"]).collect();
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        for score in scores(&queries, &chunks) {
            prop_assert!((0.0..1.0).contains(&score));
        }
    }

    /// Whatever the order in which they come, the best are those that sorting all would give.
    #[test]
    fn the_best_are_the_first_of_all_sorted(offered in vec(0..6_u8, 0..40), most in 0..8_usize) {
        let mut best = Best::new(most);
        for (place, score) in offered.iter().enumerate() {
            best.offer(f64::from(*score), place, ());
        }
        let mut all: Vec<_> = offered.iter().enumerate().filter(|(_, score)| **score > 0).collect();
        all.sort_by_key(|(place, score)| (std::cmp::Reverse(**score), *place));
        let entry = |(place, score): (usize, &u8)| (f64::from(*score), place, ());
        let expected: Vec<_> = all.into_iter().take(most).map(entry).collect();
        prop_assert_eq!(best.into_sorted(), expected);
    }
}
