//! On every route of the table, what belongs to another organisation is answered exactly as what is not there.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::Turn;
use ropewalk_types::{ENDPOINTS, EndpointInfo, endpoint};
use serde_json::{Value, json};

use crate::app::App;

const OWNER: &str = "sk-a";
const STRANGER: &str = "sk-b";
const FORM: &str = "multipart/form-data; boundary=rope";

/// Ids by the names that they have in paths.
type Ids = BTreeMap<&'static str, String>;

/// A body that would do for each row that needs one; `{name}` stands for an id.
fn body(row: &EndpointInfo) -> Value {
    let file = json!({ "file_search": { "vector_store_ids": ["{vector_store_id}"] } });
    match row.name {
        "CreateAssistant" => json!({ "model": "m", "tool_resources": file }),
        "CreateThread" => json!({ "tool_resources": file }),
        "CreateThreadAndRun" | "CreateRun" => json!({ "assistant_id": "{assistant_id}" }),
        "CreateMessage" => json!({
            "role": "user", "content": "x",
            "attachments": [{ "file_id": "{file_id}", "tools": [{ "type": "file_search" }] }],
        }),
        "SubmitToolOutputs" => json!({ "tool_outputs": [] }),
        "CreateUpload" => upload(),
        "CompleteUpload" => json!({ "part_ids": ["part_1"] }),
        "CreateVectorStore" => json!({ "file_ids": ["{file_id}"] }),
        "SearchVectorStore" => json!({ "query": "x" }),
        "CreateVectorStoreFile" => json!({ "file_id": "{file_id}" }),
        "ModifyVectorStoreFile" => json!({ "attributes": {} }),
        "CreateVectorStoreFileBatch" => json!({ "file_ids": ["{file_id}"] }),
        "CreateChatCompletion" => chat(),
        "UpdateChatCompletion" => json!({ "metadata": {} }),
        _ => json!({}),
    }
}

fn upload() -> Value {
    json!({ "filename": "a.txt", "purpose": "assistants", "bytes": 5, "mime_type": "text/plain" })
}

fn chat() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "store": true })
}

/// The text of a form with a file, whose field is `field`.
fn form(field: &str) -> String {
    let purpose = "--rope\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n";
    let purpose = if field == "file" { purpose } else { "" };
    format!(
        "{purpose}--rope\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a.txt\"\r\n\
         Content-Type: text/plain\r\n\r\nHello\r\n--rope--\r\n"
    )
}

/// Sends one row with these ids in its path and body.
async fn send(app: &App, key: &str, row: &EndpointInfo, ids: &Ids) -> (StatusCode, String) {
    let fill =
        |text: String| ids.iter().fold(text, |text, (name, id)| text.replace(&format!("{{{name}}}"), id));
    let path = fill(format!("/v1{}", row.path));
    let method = Method::from_bytes(row.method.as_str().as_bytes()).unwrap();
    let request = Request::builder().method(&method).uri(&path);
    let request =
        request.header("openai-beta", "assistants=v2").header("authorization", format!("Bearer {key}"));
    let request = match row.name {
        "CreateFile" => request.header("content-type", FORM).body(form("file")),
        "AddUploadPart" => request.header("content-type", FORM).body(form("data")),
        _ if method == Method::POST => request.body(fill(body(row).to_string())),
        _ => request.body(String::new()),
    };
    let response = app.respond(request.unwrap().map(Body::from)).await;
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// As [`send`], for a row that must succeed: the id of what it made.
async fn make(app: &App, key: &str, row: &EndpointInfo, ids: &Ids) -> String {
    let (status, text) = send(app, key, row, ids).await;
    assert_eq!(status, StatusCode::OK, "{}: {text}", row.name);
    let made: Value = serde_json::from_str(&text).unwrap();
    made["id"].as_str().or_else(|| made["data"][0]["id"].as_str()).unwrap().to_owned()
}

/// One object of each kind that a path can name.
async fn objects(app: &App, key: &str) -> Ids {
    use endpoint::*;
    use ropewalk_types::Endpoint;
    let mut ids = Ids::new();
    for (name, row) in [
        ("file_id", CreateFile::INFO),
        ("vector_store_id", CreateVectorStore::INFO),
        ("assistant_id", CreateAssistant::INFO),
        ("thread_id", CreateThread::INFO),
        ("message_id", CreateMessage::INFO),
        ("run_id", CreateRun::INFO),
        ("upload_id", CreateUpload::INFO),
        ("batch_id", CreateVectorStoreFileBatch::INFO),
        ("completion_id", CreateChatCompletion::INFO),
    ] {
        let id = make(app, key, &row, &ids).await;
        ids.insert(name, id);
    }
    // The run is driven by a task of its own: its step is there when it is over.
    for _ in 0..1000 {
        let (_, run) = send(app, key, &GetRun::INFO, &ids).await;
        if run.contains(r#""status":"completed""#) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let step = make(app, key, &ListRunSteps::INFO, &ids).await;
    ids.insert("step_id", step);
    ids
}

/// Ids of the same form that nobody has.
fn unknown(ids: &Ids) -> Ids {
    let other = |id: &String| format!("{}zzzzzz", &id[..id.len() - 6]);
    ids.iter().map(|(name, id)| (*name, other(id))).collect()
}

/// An answer with its ids taken out.
fn without(ids: &Ids, (status, text): (StatusCode, String)) -> (StatusCode, String) {
    (status, ids.iter().fold(text, |text, (name, id)| text.replace(id, name)))
}

#[tokio::test]
async fn what_is_anothers_is_answered_as_what_is_not_there() {
    let app = App::new((0..4).map(|_| Turn::text("Hello.")));
    let foreign = objects(&app, OWNER).await;
    let own = objects(&app, STRANGER).await;
    for row in ENDPOINTS {
        let named: Vec<&str> =
            foreign.keys().copied().filter(|name| row.path.contains(&format!("{{{name}}}"))).collect();
        let parent = named.iter().min_by_key(|name| row.path.find::<&str>(name));
        let references = foreign.keys().any(|name| body(row).to_string().contains(&format!("{{{name}}}")));
        let parent = parent.filter(|_| named.len() > 1 || references);
        // All of them another's; and what is another's below, or in a request about, what is one's own.
        for parent in [None, parent] {
            let mut theirs = foreign.clone();
            parent.into_iter().for_each(|name| drop(theirs.insert(name, own[name].clone())));
            let mut nobodys = unknown(&foreign);
            parent.into_iter().for_each(|name| drop(nobodys.insert(name, own[name].clone())));
            let seen = without(&theirs, send(&app, STRANGER, row, &theirs).await);
            let absent = without(&nobodys, send(&app, STRANGER, row, &nobodys).await);
            assert!(!seen.1.contains("Invalid URL"), "{} is not served", row.name);
            assert_eq!(seen.0, absent.0, "{}: {} and {}", row.name, seen.1, absent.1);
            if seen.0.is_client_error() {
                assert_eq!(seen, absent, "{}", row.name);
            }
            let all_theirs = parent.is_none() && !named.is_empty();
            assert!(!all_theirs || seen.0.is_client_error(), "{} answers {seen:?} of another's", row.name);
        }
    }
    // And the owner has lost nothing.
    for row in ENDPOINTS.iter().filter(|row| row.verb == "get" && row.group != "models") {
        if foreign.keys().any(|name| row.path.contains(name)) {
            let (status, text) = send(&app, OWNER, row, &foreign).await;
            assert_eq!(status, StatusCode::OK, "{}: {text}", row.name);
        }
    }
}

#[tokio::test]
async fn lists_neither_show_nor_count_what_is_anothers() {
    let app = App::new((0..4).map(|_| Turn::text("Hello.")));
    objects(&app, OWNER).await;
    for row in
        ENDPOINTS.iter().filter(|row| row.response.starts_with("types::Page") && !row.path.contains('{'))
    {
        let (status, text) = send(&app, STRANGER, row, &Ids::new()).await;
        let page: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, &page["data"], &page["has_more"]),
            (StatusCode::OK, &json!([]), &json!(false)),
            "{}",
            row.name
        );
    }
}
