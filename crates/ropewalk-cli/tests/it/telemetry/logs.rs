use std::fs;

use http::Method;
use ropewalk_transport::Body;
use serde_json::{Value, json};

use super::{
    upstream::{ANSWER, REFUSED, Upstream},
    watched::Watched,
};

const KEY: &str = "sk-caller-3141592653";
const UPSTREAM_KEY: &str = "sk-upstream-2718281828";
/// What callers say, in all the places where something can be said.
const SAID: [&str; 8] = [
    "instructs-osprey",
    "asks-plover",
    "describes-curlew",
    "files-avocet",
    "notes-dunlin",
    "searches-godwit",
    "answers-bittern",
    "completes-whimbrel",
];

/// Does with a server what callers do, some of it wrongly, and gives its log at the level of `level`.
async fn log_of_a_busy_server(level: &str, more: &[&str]) -> String {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::default());
    let keys = json!({"keys": [{"key": KEY, "organization": "org-secretive"}]});
    fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
    let host = upstream.serve().await;
    let serve =
        ["--log", level, "--api-keys", "keys.json", "--upstream", &host, "--upstream-key", UPSTREAM_KEY];
    let served = Watched::start(folder.path(), &[&serve[..], more].concat()).with_key(KEY);
    let [instructs, asks, describes, files, notes, searches, answers, completes] = SAID;

    let form = format!(
        "--rope\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--rope\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"birds.txt\"\r\n\r\n{files}\r\n--rope--\r\n"
    );
    let upload = served.request(Method::POST, "/v1/files");
    let mut upload = upload.body(Body::from(form)).unwrap();
    upload.headers_mut().insert("content-type", "multipart/form-data; boundary=rope".parse().unwrap());
    let (status, file) = served.send(upload).await;
    assert_eq!(status, 200, "{file}");
    let file = serde_json::from_str::<Value>(&file).unwrap()["id"].as_str().unwrap().to_owned();
    let store = served.make("/v1/vector_stores", json!({"name": "birds", "file_ids": [file]})).await;

    let function = json!({"name": "file_search", "description": describes, "parameters": {}});
    let own = json!({
        "model": "m", "instructions": instructs, "metadata": {"note": notes},
        "tools": [{"type": "function", "function": function}],
    });
    let search = json!({
        "model": "m", "tools": [{"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store]}},
    });
    let (own, search) =
        (served.make("/v1/assistants", own).await, served.make("/v1/assistants", search).await);
    assert!(served.run(&search, asks, &[]).await.contains(ANSWER));
    let (status, _) =
        served.post(&format!("/v1/vector_stores/{store}/search"), json!({"query": searches})).await;
    assert_eq!(status, 200);
    let events = served.run(&own, asks, &[]).await;
    let id = |prefix: &str| {
        let rest = events.split(&format!("\"{prefix}")).nth(1).unwrap();
        format!("{prefix}{}", rest.split('"').next().unwrap())
    };
    let path = format!("/v1/threads/{}/runs/{}/submit_tool_outputs", id("thread_"), id("run_"));
    let output =
        |call: &str| json!({"tool_outputs": [{"tool_call_id": call, "output": answers}], "stream": true});
    served.post(&path, output(answers)).await;
    assert!(served.post(&path, output("call_1")).await.1.contains(ANSWER));
    assert!(served.run(&search, REFUSED, &[]).await.contains("thread.run.failed"));

    let asked = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": completes}]});
    assert!(served.post("/v1/chat/completions", asked).await.1.contains(ANSWER));
    for wrong in [json!({"model": instructs, "top_p": asks}), json!({"model": 5, "instructions": instructs})]
    {
        assert_eq!(served.post("/v1/assistants", wrong).await.0, 400);
    }
    assert_eq!(served.get(&format!("/v1/threads?after={asks}")).await.0, 404);
    let mut stranger = served.request(Method::GET, "/v1/models").body(Body::empty()).unwrap();
    stranger.headers_mut().insert("authorization", "Bearer sk-stranger-1618".parse().unwrap());
    assert_eq!(served.send(stranger).await.0, 401);
    served.stop()
}

/// What is in `log` of all that was said.
fn said_in(log: &str) -> Vec<&'static str> {
    let all = SAID.into_iter().chain([ANSWER, REFUSED, "heron"]);
    all.filter(|said| log.contains(said)).collect()
}

fn assert_no_key(log: &str) {
    for key in [KEY, UPSTREAM_KEY, "sk-stranger", "org-secretive"] {
        assert!(!log.contains(&key[3..]), "{key} in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_word_of_a_message_is_in_the_log_however_much_is_logged() {
    for level in ["debug", "trace"] {
        let log = log_of_a_busy_server(level, &[]).await;
        assert!(log.contains("DEBUG") && log.contains("model call failed"), "{log}");
        assert_no_key(&log);
        assert_eq!(said_in(&log), [""; 0], "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_messages_are_in_the_log_if_they_are_asked_for_and_each_line_is_json() {
    let log = log_of_a_busy_server("info", &["--log-content", "--log-format", "json"]).await;
    assert_no_key(&log);
    let said = said_in(&log);
    assert!(
        ["asks-plover", "instructs-osprey", ANSWER, REFUSED].iter().all(|word| said.contains(word)),
        "{log}"
    );
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["message"] == "model call failed").unwrap();
    assert_eq!(failed["level"], "WARN");
    assert_eq!(failed["target"], "ropewalk_runs::execution");
    assert!(failed["time"].as_str().unwrap().ends_with('Z') && failed["error"].is_string(), "{failed}");
    let request = &failed["spans"][0];
    assert_eq!((&request["name"], &request["method"]), (&json!("request"), &json!("POST")));
    assert!(request["id"].as_str().unwrap().starts_with("req_") && request["path"] == "/v1/threads/runs");
}
