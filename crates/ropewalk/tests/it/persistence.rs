use std::time::Duration;

use ropewalk::{
    Client, CreateAssistant, CreateMessage, CreateRun, CreateThread, Embedded, RunStatus, ScriptedModel,
    store::StoreError,
};

/// A tokio runtime of its own stands for a program: nothing of it is left when it ends.
fn program<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_thread_goes_on_where_the_last_program_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Embedded::open(folder.path(), ScriptedModel::new());
    let (assistant, thread) = program(async {
        let client = Client::embedded(open().unwrap());
        let assistant = client.assistants().create(CreateAssistant::new("gpt-4o")).await.unwrap();
        let first = CreateThread::new().message(CreateMessage::user("First."));
        let thread = client.threads().create(first).await.unwrap();
        assert!(matches!(open(), Err(StoreError::InUse { .. })), "the folder belongs to one program");
        (assistant, thread)
    });
    program(async {
        let client = Client::embedded(open().unwrap());
        assert_eq!(client.threads().get(&thread.id).await.unwrap(), thread);
        client.messages().create(&thread.id, CreateMessage::user("Second.")).await.unwrap();
        let events = client.runs().create_stream(&thread.id, CreateRun::new(&assistant.id)).await.unwrap();
        let snapshot = events.snapshot().await.unwrap();
        assert_eq!(snapshot.run().unwrap().status, RunStatus::Completed);
        assert!(snapshot.messages()[0].text().ends_with("You said: Second."));
    });
}

#[tokio::test]
async fn the_last_client_to_go_frees_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::embedded(Embedded::open(folder.path(), ScriptedModel::new()).unwrap());
    let clone = client.clone();
    drop(client);
    clone.threads().create(CreateThread::new()).await.unwrap();
    drop(clone);
    let freed = async {
        while Embedded::open(folder.path(), ScriptedModel::new()).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.unwrap();
}
