use std::sync::Arc;

use ropewalk_search::{IndexedFile, MemoryEngine, SearchEngine, SearchQuery, contract};
use ropewalk_types::FileId;

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::check(async || Arc::new(MemoryEngine::new()) as _).await;
}

#[tokio::test]
async fn a_question_finds_its_passage_in_any_language() {
    let engine = MemoryEngine::new();
    let passages = [
        ("en", "The hawser that moors a ship is laid from three strands."),
        ("de", "Die Trosse, mit der ein Schiff festmacht, wird aus drei Litzen geschlagen."),
        ("ja", "船を繋ぐ太い綱は三本の子縄を綯って作る。"),
        ("ru", "Канат, которым швартуют судно, свивают из трёх прядей."),
        ("ko", "배를 묶는 밧줄은 세 가닥으로 꼰다."),
    ];
    for (id, text) in passages {
        let file = IndexedFile::new(FileId::new(id), "ropes.txt", vec!["...".to_owned(), text.to_owned()]);
        engine.index("vs", file).await.unwrap();
    }
    let questions = [
        ("en", "What moors a ship?"),
        ("de", "Woraus wird eine TROSSE geschlagen?"),
        ("ja", "太い綱の作り方"),
        ("ru", "из чего свивают канат?"),
        ("ko", "밧줄 가닥"),
    ];
    for (id, question) in questions {
        let hits = engine.search("vs", SearchQuery::new(question)).await.unwrap();
        assert_eq!((hits[0].file_id.as_str(), hits[0].chunk), (id, 1), "{question}");
    }
}
