use ropewalk_store::{Store, contract};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    contract::check(async || Store::in_memory()).await;
}
