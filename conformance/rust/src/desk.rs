//! What each test begins with: the real server, an upstream that plays turns, and a client of async-openai.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use async_openai::{
    Client,
    config::{OPENAI_BETA_HEADER, OpenAIConfig},
};
use serde_json::{Value, json};

/// The key of the organisation that [`Desk::client`] speaks for.
pub const KEY: &str = "sk-org-a-0123456789abcdef";

/// A server and its upstream, which end with it: in a panic if a reply was not as the server's document says.
#[derive(Debug)]
pub struct Desk {
    /// Speaks to the server.
    pub client: Client<OpenAIConfig>,
    base: String,
    upstream: String,
    program: Child,
    says: BufReader<ChildStdout>,
}

impl Desk {
    /// Starts both, each on a port that the system picks.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = env::var_os("HARNESS_PYTHON")
            .map_or_else(|| root.join("target/python/contract/bin/python"), PathBuf::from);
        let mut program = Command::new(python)
            .arg(root.join("conformance/harness/desk.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the harness runs; `cargo xtask setup`");
        let mut says = BufReader::new(program.stdout.take().expect("a pipe"));
        let mut servers = String::new();
        says.read_line(&mut servers).expect("the harness speaks");
        let servers: Value =
            serde_json::from_str(&servers).expect("the server runs; `cargo build -p ropewalk-cli`");
        let [base, upstream] =
            ["base_url", "upstream"].map(|name| servers[name].as_str().expect("a URL").to_owned());
        let client = connect(&base, KEY);
        Self { client, base, upstream, program, says }
    }

    /// A client with another key.
    pub fn client_with(&self, key: &str) -> Client<OpenAIConfig> {
        connect(&self.base, key)
    }

    /// A new model that plays `turns`.
    pub async fn model(&self, turns: &[Value]) -> String {
        let request = reqwest::Client::new().post(format!("{}/models", self.upstream)).json(turns);
        request.send().await.expect("the upstream runs").json().await.expect("a name")
    }

    /// What a model was asked, request by request.
    pub async fn requests(&self, model: &str) -> Vec<Value> {
        let reply = reqwest::get(format!("{}/requests/{model}", self.upstream)).await;
        reply.expect("the upstream runs").json().await.expect("requests")
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The end of its input asks it to stop.
        drop(self.program.stdin.take());
        let mut wrong = String::new();
        let _read = self.says.read_to_string(&mut wrong);
        let is_well = self.program.wait().is_ok_and(|status| status.success());
        assert!(is_well || thread::panicking(), "the server did wrong: {wrong}");
    }
}

fn connect(base: &str, key: &str) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new().with_api_base(base).with_api_key(key);
    // The hosted API asked its users for it too.
    Client::with_config(config.with_header(OPENAI_BETA_HEADER, "assistants=v2").expect("a header"))
}

/// A text, a chunk for each piece.
pub fn says(pieces: &[&str]) -> Value {
    let deltas: Vec<Value> = pieces.iter().map(|piece| json!({ "content": piece })).collect();
    json!({ "deltas": deltas, "usage": [10, 5] })
}

/// A text that never goes on, until the other side hangs up.
pub fn hangs(piece: &str) -> Value {
    json!({ "deltas": [{ "content": piece }], "finish": null, "hangs": true })
}

/// Tool calls, each `(id, name, arguments)`; the arguments come in two pieces.
pub fn calls(wanted: &[(&str, &str, &str)]) -> Value {
    let mut deltas = Vec::new();
    for (index, (id, name, arguments)) in wanted.iter().enumerate() {
        let function = json!({ "name": name, "arguments": "" });
        deltas.push(
            json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": function }] }),
        );
        let (head, tail) = arguments.split_at(arguments.len() / 2);
        for piece in [head, tail] {
            let part = json!({ "index": index, "function": { "arguments": piece } });
            deltas.push(json!({ "tool_calls": [part] }));
        }
    }
    json!({ "deltas": deltas, "finish": "tool_calls", "usage": [10, 5] })
}
