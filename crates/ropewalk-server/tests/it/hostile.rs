//! However broken a request is, it is refused as an error of its sender, and nothing is stored.

use std::cell::RefCell;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*, sample::Index};
use ropewalk_model::Turn;
use ropewalk_types::{ENDPOINTS, EndpointInfo};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::app::App;

/// A body that an endpoint takes, to be broken.
fn whole(row: &EndpointInfo) -> Value {
    let message =
        json!({ "role": "user", "content": [{ "type": "text", "text": "x" }], "metadata": { "a": "b" } });
    let tools = json!([
        { "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } },
        { "type": "file_search", "file_search": { "max_num_results": 3 } },
    ]);
    let run = json!({
        "assistant_id": "asst_x", "tools": tools, "temperature": 1, "stream": false,
        "truncation_strategy": { "type": "last_messages", "last_messages": 1 },
        "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": {} } },
    });
    match row.name {
        "CreateAssistant" => json!({ "model": "m", "tools": tools, "metadata": { "a": "b" } }),
        "CreateThread" => json!({ "messages": [message] }),
        "CreateMessage" => message,
        "CreateRun" | "CreateThreadAndRun" => run,
        "SubmitToolOutputs" => json!({ "tool_outputs": [{ "tool_call_id": "call_x", "output": "1" }] }),
        "CreateUpload" => {
            json!({ "filename": "a.txt", "purpose": "assistants", "bytes": 5, "mime_type": "text/plain" })
        }
        "SearchVectorStore" => json!({
            "query": "x",
            "filters": { "type": "and", "filters": [{ "type": "eq", "key": "a", "value": 1 }] },
        }),
        "CreateVectorStoreFile" => json!({ "file_id": "file-x", "attributes": { "a": 1 } }),
        "CreateVectorStoreFileBatch" => json!({ "file_ids": ["file-x"] }),
        "CreateChatCompletion" => json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] }),
        _ => json!({ "metadata": { "a": "b" } }),
    }
}

#[derive(Debug, Clone)]
enum Break {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Any JSON.
    Json(Value),
    /// Another value at some place of a good body.
    Replace(Index, Value),
    /// A field more at some place of a good body.
    Add(Index, String),
    /// A good body cut off.
    Cut(Index),
    /// Arrays in arrays.
    Deep(usize),
    /// Larger than the server takes.
    Large,
    /// A text that is no UTF-8.
    Foreign,
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "x{300,600}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof!["\\PC{0,8}", Just("type".to_owned()), Just("metadata".to_owned())];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_break() -> impl Strategy<Value = Break> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..64).prop_map(Break::Bytes),
        3 => any_json().prop_map(Break::Json),
        6 => (any::<Index>(), any_json()).prop_map(|(place, value)| Break::Replace(place, value)),
        2 => (any::<Index>(), "[a-z]{9}").prop_map(|(place, name)| Break::Add(place, name)),
        1 => any::<Index>().prop_map(Break::Cut),
        1 => (65..4000_usize).prop_map(Break::Deep),
        1 => Just(Break::Large),
        1 => Just(Break::Foreign),
    ]
}

fn body(row: &EndpointInfo, how: &Break) -> Vec<u8> {
    let mut good = whole(row);
    match how {
        Break::Bytes(bytes) => return bytes.clone(),
        Break::Json(value) => return value.to_string().into_bytes(),
        Break::Replace(place, value) => {
            let places = count(&good);
            *nth(&mut good, &mut place.index(places)).unwrap() = value.clone();
        }
        Break::Add(place, name) => {
            let places = count(&good);
            let value = nth(&mut good, &mut place.index(places)).unwrap();
            match value {
                Value::Object(fields) => drop(fields.insert(name.clone(), 1.into())),
                value => *value = Value::Object(Map::from_iter([(name.clone(), 1.into())])),
            }
        }
        Break::Cut(place) => {
            let mut text = good.to_string().into_bytes();
            text.truncate(place.index(text.len()));
            return text;
        }
        Break::Deep(levels) => return format!(r#"{{"metadata":{}"#, "[".repeat(*levels)).into_bytes(),
        Break::Large => return format!(r#"{{"model":"{}"}}"#, "m".repeat(5000)).into_bytes(),
        Break::Foreign => return b"{\"model\":\"\xff\xfe\"}".to_vec(),
    }
    good.to_string().into_bytes()
}

/// How many values stand in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at the `place`th place.
fn nth<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, place)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, place)),
        _ => None,
    }
}

/// A server with something in it.
struct Target {
    runtime: Runtime,
    app: App,
    thread: String,
}

impl Target {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Enough answers for all requests that are good after all.
        let app = runtime.block_on(async { App::new((0..5000).map(|_| Turn::text("x"))) });
        let thread =
            runtime.block_on(app.make("/v1/threads", r#"{"messages":[{"role":"user","content":"x"}]}"#));
        Self { runtime, app, thread }
    }

    fn path(&self, row: &EndpointInfo) -> String {
        let path = row.path.replace("{thread_id}", &self.thread);
        let ids = [
            ("{assistant_id}", "asst_x"),
            ("{message_id}", "msg_x"),
            ("{run_id}", "run_x"),
            ("{step_id}", "step_x"),
            ("{file_id}", "file-x"),
            ("{upload_id}", "upload_x"),
            ("{vector_store_id}", "vs_x"),
            ("{batch_id}", "vsfb_x"),
            ("{completion_id}", "chatcmpl-x"),
            ("{model}", "m"),
        ];
        format!("/v1{}", ids.iter().fold(path, |path, (name, id)| path.replace(name, id)))
    }

    fn send(&self, row: &EndpointInfo, query: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let method = Method::from_bytes(row.method.as_str().as_bytes()).unwrap();
        let query = query.replace(|c: char| !c.is_ascii_graphic() || "\"#<>`{}|\\^".contains(c), "%FF");
        let request = Request::builder().method(method).uri(format!("{}?{query}", self.path(row)));
        let request = request.header("openai-beta", "assistants=v2").header("authorization", "Bearer sk-a");
        let kind =
            if row.multipart.is_some() { "multipart/form-data; boundary=x" } else { "application/json" };
        let request = request.header("content-type", kind).body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let response = self.app.respond(request).await;
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        })
    }

    /// All that there is.
    fn contents(&self) -> Vec<Value> {
        let lists = ["assistants", "threads", "files", "vector_stores", "chat/completions"];
        let mut lists: Vec<String> = lists.iter().map(|list| format!("/v1/{list}")).collect();
        lists.extend(["messages", "runs"].map(|list| format!("/v1/threads/{}/{list}", self.thread)));
        let read = |list: &String| self.runtime.block_on(self.app.send(Method::GET, list, "")).1;
        lists.iter().map(read).collect()
    }
}

fn is_error(reply: &Value) -> bool {
    let error = reply["error"].as_object();
    error.is_some_and(|error| ["message", "type", "param", "code"].iter().all(|key| error.contains_key(*key)))
}

#[test]
fn a_broken_body_is_refused_and_changes_nothing() {
    let target = Target::new();
    let rows: Vec<&EndpointInfo> = ENDPOINTS.iter().filter(|row| row.body != "()").collect();
    let before = RefCell::new(target.contents());
    proptest!(ProptestConfig::with_cases(2000), |(row in any::<Index>(), how in any_break())| {
        let row = rows[row.index(rows.len())];
        let (status, reply) = target.send(row, "", body(row, &how));
        prop_assert!(!status.is_server_error(), "{}: {status} {reply}", row.name);
        // What was broken may still be good: a text for another text.
        if status == StatusCode::OK {
            let always = matches!(how, Break::Deep(_) | Break::Large | Break::Foreign);
            prop_assert!(!always, "{} was taken", row.name);
            before.replace(target.contents());
        } else {
            prop_assert!(status.is_client_error() && is_error(&reply), "{}: {status} {reply}", row.name);
            prop_assert_eq!(&target.contents(), &*before.borrow(), "{} stored something", row.name);
        }
    });
}

#[test]
fn a_broken_query_is_refused() {
    let target = Target::new();
    let rows: Vec<&EndpointInfo> = ENDPOINTS.iter().filter(|row| row.query != "()").collect();
    let pair =
        ("(limit|order|after|before|include\\[\\]|metadata\\[a\\]|run_id|filter|\\PC{0,6})", "\\PC{0,12}");
    let query = vec(pair, 0..4).prop_map(|pairs| {
        pairs.into_iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&")
    });
    proptest!(ProptestConfig::with_cases(1000), |(row in any::<Index>(), query in query)| {
        let row = rows[row.index(rows.len())];
        let (status, reply) = target.send(row, &query, Vec::new());
        let fine = status == StatusCode::OK || (status.is_client_error() && is_error(&reply));
        prop_assert!(fine, "{} {query}: {status} {reply}", row.name);
    });
}
