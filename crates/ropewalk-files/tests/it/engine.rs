use std::sync::Arc;

use ropewalk_files::StoreEngine;
use ropewalk_search::{IndexedFile, SearchEngine, SearchQuery};
use ropewalk_store::Store;

#[tokio::test]
async fn the_engine_over_the_store_keeps_the_contract_of_engines() {
    let fresh = async || Arc::new(StoreEngine::new(Store::in_memory())) as Arc<dyn SearchEngine>;
    ropewalk_search::contract::check(fresh).await;
}

#[tokio::test]
async fn a_long_file_lies_in_several_documents_and_is_searched_whole() {
    let engine = StoreEngine::new(Store::in_memory());
    let chunks: Vec<String> =
        (0..500).map(|number| format!("{} number{number}", "rope ".repeat(100))).collect();
    engine.index("acme/vs_1", IndexedFile::new("file-1".into(), "long.txt", chunks)).await.unwrap();
    for number in [0, 250, 499] {
        let found = engine.search("acme/vs_1", SearchQuery::new(format!("number{number}"))).await.unwrap();
        assert_eq!(found[0].chunk, number);
    }
}
