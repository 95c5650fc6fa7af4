//! What each test begins with: the real server, an upstream that plays turns, and a client of async-openai.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use async_openai::{
    Client,
    config::{OPENAI_BETA_HEADER, OpenAIConfig},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key of the organisation that [`Desk::client`] speaks for.
pub const KEY: &str = "sk-org-a-0123456789abcdef";

/// A server and its upstream, which end with it.
#[derive(Debug)]
pub struct Desk {
    /// Speaks to the server.
    pub client: Client<OpenAIConfig>,
    base: String,
    upstream: String,
    server: Child,
    script: Child,
    _folder: TempDir,
}

impl Desk {
    /// Starts both, each on a port that the system picks.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut script = Command::new("python3")
            .arg(root.join("conformance/harness/upstream.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let upstream = line_with(script.stdout.take(), "http://");

        let folder = TempDir::new().expect("a temporary folder");
        let keys = folder.path().join("keys.json");
        let listed = json!({ "keys": [{ "key": KEY, "organization": "org-a" }] });
        std::fs::write(&keys, listed.to_string()).expect("the key file is written");
        let binary =
            env::var_os("ROPEWALK_BIN").map_or_else(|| root.join("target/debug/ropewalk"), PathBuf::from);
        let mut server = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--upstream-key", "sk-upstream"])
            .args(["--upstream", &format!("{upstream}/v1")])
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .arg("--api-keys")
            .arg(keys)
            .env("NO_COLOR", "1")
            .env_remove("ROPEWALK_BIN")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server runs; `cargo build -p ropewalk-cli`");
        let listening = line_with(server.stderr.take(), "listening on http://");
        let address = listening.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let base = format!("http://{}/v1", address.expect("the log names the address"));
        let client = connect(&base, KEY);
        Self { client, base, upstream, server, script, _folder: folder }
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
        for child in [&mut self.server, &mut self.script] {
            let _ended_already = child.kill();
            let _status = child.wait();
        }
    }
}

fn connect(base: &str, key: &str) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new().with_api_base(base).with_api_key(key);
    // The hosted API asked its users for it too.
    Client::with_config(config.with_header(OPENAI_BETA_HEADER, "assistants=v2").expect("a header"))
}

/// The first line that holds `wanted`; what follows is read and dropped, so that the other side can go on writing.
fn line_with(output: Option<impl Read + Send + 'static>, wanted: &str) -> String {
    let mut lines = BufReader::new(output.expect("a pipe")).lines().map_while(Result::ok);
    let mut seen = Vec::new();
    while let Some(line) = lines.next() {
        if line.contains(wanted) {
            thread::spawn(move || lines.for_each(drop));
            return line;
        }
        seen.push(line);
    }
    panic!("no `{wanted}` in:\n{}", seen.join("\n"));
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
