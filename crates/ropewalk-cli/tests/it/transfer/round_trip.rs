use std::{fs, path::Path};

use ropewalk::json;

use super::{exported, import, said, server::Server};
use crate::{error_of, ropewalk};

/// One of everything, and what can be asked of it.
async fn fill(server: &Server) -> (Vec<String>, String) {
    let text = server.upload("rope.txt", "assistants", "Hemp rope swells when it is wet.").await;
    let image = server.upload("rope.png", "vision", "not quite a picture").await;
    let shelf = json!({ "name": "shelf", "file_ids": [text], "expires_after": { "anchor": "last_active_at", "days": 7 } });
    let shelf = server.post("/vector_stores", shelf).await;
    server.settled(&shelf).await;
    let plain = server.post("/assistants", json!({ "model": "m", "name": "plain" })).await;
    let tools = json!({
        "model": "m",
        "tools": [
            { "type": "code_interpreter" }, { "type": "file_search" },
            { "type": "function", "function": { "name": "knot", "parameters": { "type": "object" } } },
        ],
        "tool_resources": {
            "code_interpreter": { "file_ids": [text] }, "file_search": { "vector_store_ids": [shelf] },
        },
        "metadata": { "team": "ropes" },
    });
    let tools = server.post("/assistants", tools).await;
    let mut paths: Vec<String> = [
        "/assistants?limit=100",
        "/threads?limit=100",
        "/files",
        "/vector_stores?limit=100",
        &format!("/files/{text}"),
        &format!("/files/{image}/content"),
        &format!("/vector_stores/{shelf}"),
        &format!("/vector_stores/{shelf}/files"),
        &format!("/vector_stores/{shelf}/files/{text}/content"),
        &format!("/assistants/{plain}"),
        &format!("/assistants/{tools}"),
    ]
    .map(str::to_owned)
    .to_vec();
    for number in 0..3 {
        let messages: Vec<_> =
            (0..4).map(|at| json!({ "role": "user", "content": format!("{number}.{at}") })).collect();
        let thread = json!({ "messages": messages, "metadata": { "number": number.to_string() } });
        let thread = server.post("/threads", thread).await;
        let run = server.post(&format!("/threads/{thread}/runs"), json!({ "assistant_id": plain })).await;
        while server.json(&format!("/threads/{thread}/runs/{run}")).await["status"] != "completed" {
            tokio::task::yield_now().await;
        }
        for path in ["", "/messages?order=asc&limit=100", "/messages", "/runs", &format!("/runs/{run}/steps")]
        {
            paths.push(format!("/threads/{thread}{path}"));
        }
    }
    (paths, shelf)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_to_the_same_replies_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let server = Server::open(&first);
    let (paths, shelf) = fill(&server).await;

    // The server runs meanwhile.
    let out = ropewalk(folder.path()).args(["export", "--data", "first", "out"]).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let taken = import(folder.path(), &["--data", "second", "out"]);
    assert_eq!(taken.status.code(), Some(0), "{}", said(&taken));

    let copy = Server::open(&second);
    copy.settled(&shelf).await;
    for path in &paths {
        let (one, other) = (server.get(path).await, copy.get(path).await);
        assert_eq!(String::from_utf8_lossy(&one), String::from_utf8_lossy(&other), "{path}");
    }
    let other_organization = exported_as(folder.path(), "org-other");
    assert!(other_organization.lines().skip(1).all(|line| line.ends_with(" 0")), "{other_organization}");
}

fn exported_as(folder: &Path, organization: &str) -> String {
    let export = ["export", "--data", "first", "--organization", organization, organization];
    String::from_utf8(ropewalk(folder).args(export).output().unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_beside_a_running_server_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(&folder.path().join("ropewalk-data"));
    fs::write(folder.path().join("dump"), r#"{"object":"thread","id":"thread_1","created_at":7}"#).unwrap();
    assert_eq!(import(folder.path(), &["dump"]).status.code(), Some(0));
    assert_eq!(server.json("/threads/thread_1").await["created_at"], 7);
}

#[test]
fn an_export_never_writes_over_what_is_there_unless_told_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump"), r#"{"object":"thread","id":"thread_1","created_at":7}"#).unwrap();
    import(folder.path(), &["dump"]);
    let all = exported(folder.path(), "ropewalk-data");
    assert_eq!(all.len(), 8, "{all:?}");
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/threads.ndjson"), "mine").unwrap();
    let export = |arguments: &[&str]| ropewalk(folder.path()).arg("export").args(arguments).output().unwrap();
    assert!(error_of(&export(&["out"])).contains("is not empty"));
    assert_eq!(fs::read(folder.path().join("out/threads.ndjson")).unwrap(), b"mine");
    assert!(export(&["out", "--force"]).status.success());
    assert_eq!(fs::read(folder.path().join("out/threads.ndjson")).unwrap(), all["threads.ndjson"]);
    assert!(error_of(&export(&["--data", "nowhere", "x"])).contains("cannot be used"));
    assert!(export(&["--organization", "", "x"]).status.code() != Some(0));
}
