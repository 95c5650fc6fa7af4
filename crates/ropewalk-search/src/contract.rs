//! The suite that every [`SearchEngine`] must pass.

use std::sync::Arc;

use ropewalk_types::{AttributeValue, Attributes, Comparison, ComparisonFilter, FileId, Filter, FilterValue};

use crate::{Hit, IndexedFile, SearchEngine, SearchQuery};

const HEMP: &str = "Hemp rope swells when it is wet.";
const NYLON: &str = "Nylon stretches under a load and dries fast.";
const STEEL: &str = "Steel wire cuts through wooden bollards.";

/// Holds an engine to the contract of [`SearchEngine`]; `fresh` makes an empty one for each case.
///
/// It asks for chunks in their own words and expects them ahead of chunks that have nothing in common with these;
/// whether such others are found too is left to the engine. Runs inside tokio, without a clock and without sleeping.
///
/// # Panics
///
/// On the first clause that the engine breaks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::sync::Arc;
///
/// use ropewalk_search::{MemoryEngine, contract};
///
/// contract::check(async || Arc::new(MemoryEngine::new()) as _).await;
/// # }
/// ```
pub async fn check(fresh: impl AsyncFn() -> Arc<dyn SearchEngine>) {
    a_chunk_is_found_by_its_own_words(&*fresh().await).await;
    a_hit_tells_what_was_indexed(&*fresh().await).await;
    indexing_again_replaces_the_file(&*fresh().await).await;
    what_was_removed_is_not_found(&*fresh().await).await;
    what_is_not_there_may_be_removed(&*fresh().await).await;
    collections_are_kept_apart(&*fresh().await).await;
    files_are_filtered_before_they_are_ranked(&*fresh().await).await;
    attributes_are_replaced_as_a_whole(&*fresh().await).await;
    hits_are_in_order_and_bounded(&*fresh().await).await;
    any_of_several_queries_finds(&*fresh().await).await;
    nothing_is_found_by_nothing(&*fresh().await).await;
}

async fn a_chunk_is_found_by_its_own_words(engine: &dyn SearchEngine) {
    put(engine, "vs", file("file-a", &[HEMP, NYLON])).await;
    put(engine, "vs", file("file-b", &[STEEL])).await;
    for (text, place) in [(HEMP, ("file-a", 0)), (NYLON, ("file-a", 1)), (STEEL, ("file-b", 0))] {
        let hits = search(engine, "vs", SearchQuery::new(text)).await;
        assert_eq!(places(&hits).first(), Some(&place), "{text}");
    }
}

async fn a_hit_tells_what_was_indexed(engine: &dyn SearchEngine) {
    let text = format!("  {HEMP}\n\n<b>縄</b> \u{1f9f5}\t");
    let indexed = file("file-a", &[NYLON, &text]).attributes(city("Hull"));
    put(engine, "vs", indexed).await;
    let hit = search(engine, "vs", SearchQuery::new(HEMP)).await.swap_remove(0);
    let expected = Hit::new(FileId::new("file-a"), "file-a.txt", 1, text, hit.score).attributes(city("Hull"));
    assert_eq!(hit, expected);
}

async fn indexing_again_replaces_the_file(engine: &dyn SearchEngine) {
    put(engine, "vs", file("file-a", &[HEMP, NYLON]).attributes(city("Hull"))).await;
    put(engine, "vs", file("file-b", &[STEEL])).await;
    put(engine, "vs", file("file-a", &[NYLON])).await;
    let hits = search(engine, "vs", SearchQuery::any([HEMP, NYLON, STEEL].map(str::to_owned))).await;
    let mut found = places(&hits);
    found.sort_unstable();
    assert_eq!(found, [("file-a", 0), ("file-b", 0)]);
    assert!(hits.iter().all(|hit| hit.text != HEMP && hit.attributes.is_empty()));
}

async fn what_was_removed_is_not_found(engine: &dyn SearchEngine) {
    let all = || SearchQuery::any([HEMP, NYLON, STEEL].map(str::to_owned));
    for (id, text) in [("file-a", HEMP), ("file-b", NYLON), ("file-c", STEEL)] {
        put(engine, "vs", file(id, &[text])).await;
    }
    engine.remove("vs", &FileId::new("file-b")).await.expect("a file is removed");
    let hits = search(engine, "vs", all()).await;
    let mut found = places(&hits);
    found.sort_unstable();
    assert_eq!(found, [("file-a", 0), ("file-c", 0)]);
    engine.drop_collection("vs").await.expect("a collection is dropped");
    assert_eq!(search(engine, "vs", all()).await, []);
    put(engine, "vs", file("file-a", &[HEMP])).await;
    assert_eq!(search(engine, "vs", all()).await.len(), 1, "a dropped collection can be filled again");
}

async fn what_is_not_there_may_be_removed(engine: &dyn SearchEngine) {
    let absent = FileId::new("file-x");
    for _ in 0..2 {
        engine.remove("vs", &absent).await.expect("an absent file is removed");
        engine.set_attributes("vs", &absent, city("Hull")).await.expect("an absent file gets attributes");
        engine.drop_collection("none").await.expect("an absent collection is dropped");
        put(engine, "vs", file("file-a", &[HEMP])).await;
    }
    let hits = search(engine, "vs", SearchQuery::new(HEMP)).await;
    assert_eq!(places(&hits), [("file-a", 0)]);
}

async fn collections_are_kept_apart(engine: &dyn SearchEngine) {
    let names = ["vs", "vs ", "VS", "v", "vs/1", "", "' OR 1=1 --", "名"];
    for name in names {
        put(engine, name, file("file-a", &[HEMP, &format!("{NYLON} {name}")])).await;
    }
    engine.drop_collection("vs").await.expect("a collection is dropped");
    engine.remove("v", &FileId::new("file-a")).await.expect("a file is removed");
    engine.set_attributes("VS", &FileId::new("file-a"), city("Hull")).await.expect("attributes are replaced");
    for name in names {
        let hits = search(engine, name, SearchQuery::new(NYLON)).await;
        if ["vs", "v"].contains(&name) {
            assert_eq!(hits, [], "{name:?}");
        } else {
            assert_eq!(hits[0].text, format!("{NYLON} {name}"));
            assert_eq!(hits[0].attributes.is_empty(), name != "VS", "{name:?}");
        }
    }
}

async fn files_are_filtered_before_they_are_ranked(engine: &dyn SearchEngine) {
    for number in 0..20 {
        put(engine, "vs", file(&format!("file-{number:02}"), &[HEMP]).attributes(city("Hull"))).await;
    }
    put(engine, "vs", file("file-b", &[&format!("{NYLON} {STEEL} {HEMP}")]).attributes(city("Bergen"))).await;
    put(engine, "vs", file("file-c", &[HEMP])).await;
    let found = async |kind, value: &str| {
        let hits =
            search(engine, "vs", SearchQuery::new(HEMP).filter(compared(kind, value)).max_results(5)).await;
        hits.into_iter().map(|hit| hit.file_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(Comparison::Eq, "Bergen").await, ["file-b"]);
    assert_eq!(found(Comparison::Eq, "Hull").await.len(), 5);
    assert_eq!(found(Comparison::Ne, "Hull").await.len(), 2);
    assert_eq!(found(Comparison::Eq, "Oslo").await, [""; 0]);
}

async fn attributes_are_replaced_as_a_whole(engine: &dyn SearchEngine) {
    let two = Attributes::from([("wet".to_owned(), AttributeValue::Boolean(true))]);
    put(engine, "vs", file("file-a", &[HEMP, NYLON]).attributes(two)).await;
    engine.set_attributes("vs", &FileId::new("file-a"), city("Hull")).await.expect("attributes are replaced");
    let query = SearchQuery::any([HEMP, NYLON].map(str::to_owned)).filter(compared(Comparison::Eq, "Hull"));
    let hits = search(engine, "vs", query).await;
    assert_eq!(hits.len(), 2);
    assert!(hits.iter().all(|hit| hit.attributes == city("Hull")));
}

async fn hits_are_in_order_and_bounded(engine: &dyn SearchEngine) {
    for id in ["file-c", "file-a", "file-b"] {
        put(engine, "vs", file(id, &[HEMP, &format!("{HEMP} {NYLON}"), HEMP])).await;
    }
    let all = search(engine, "vs", SearchQuery::new(HEMP).max_results(50)).await;
    assert_eq!(all.len(), 9);
    for pair in all.windows(2) {
        let [left, right] = [&pair[0], &pair[1]].map(|hit| (hit.file_id.as_str(), hit.chunk));
        assert!(pair[0].score > pair[1].score || pair[0].score == pair[1].score && left < right);
    }
    assert!(all.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    assert_eq!(
        places(&all)[..2],
        [("file-a", 0), ("file-a", 2)],
        "equals are in the order of file and chunk"
    );
    for most in 0..9 {
        let hits = search(engine, "vs", SearchQuery::new(HEMP).max_results(most)).await;
        assert_eq!(hits, all[..most]);
    }
    let threshold = all[5].score;
    let hits = search(engine, "vs", SearchQuery::new(HEMP).max_results(50).score_threshold(threshold)).await;
    assert!(hits.len() >= 6 && hits.iter().all(|hit| hit.score >= threshold));
}

async fn any_of_several_queries_finds(engine: &dyn SearchEngine) {
    put(engine, "vs", file("file-a", &[HEMP, NYLON, STEEL])).await;
    let hits = search(engine, "vs", SearchQuery::any([NYLON, STEEL].map(str::to_owned)).max_results(2)).await;
    let mut found = places(&hits);
    found.sort_unstable();
    assert_eq!(found, [("file-a", 1), ("file-a", 2)]);
}

async fn nothing_is_found_by_nothing(engine: &dyn SearchEngine) {
    assert_eq!(search(engine, "vs", SearchQuery::new(HEMP)).await, []);
    put(engine, "vs", file("file-a", &[])).await;
    assert_eq!(search(engine, "vs", SearchQuery::new(HEMP)).await, []);
    put(engine, "vs", file("file-a", &[HEMP])).await;
    assert_eq!(search(engine, "vs", SearchQuery::any([])).await, []);
    assert_eq!(search(engine, "vs", SearchQuery::new("")).await, []);
}

fn file(id: &str, chunks: &[&str]) -> IndexedFile {
    IndexedFile::new(
        FileId::new(id),
        format!("{id}.txt"),
        chunks.iter().map(|chunk| (*chunk).to_owned()).collect(),
    )
}

fn city(name: &str) -> Attributes {
    Attributes::from([("city".to_owned(), AttributeValue::Text(name.to_owned()))])
}

fn compared(kind: Comparison, city: &str) -> Filter {
    let value = FilterValue::One(AttributeValue::Text(city.to_owned()));
    Filter::Comparison(ComparisonFilter { kind, key: "city".to_owned(), value })
}

async fn put(engine: &dyn SearchEngine, collection: &str, file: IndexedFile) {
    engine.index(collection, file).await.expect("a file is indexed");
}

async fn search(engine: &dyn SearchEngine, collection: &str, query: SearchQuery) -> Vec<Hit> {
    engine.search(collection, query).await.expect("a search succeeds")
}

fn places(hits: &[Hit]) -> Vec<(&str, usize)> {
    hits.iter().map(|hit| (hit.file_id.as_str(), hit.chunk)).collect()
}
