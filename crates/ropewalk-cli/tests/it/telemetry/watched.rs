use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use http::{Method, Request};
use ropewalk_transport::{Body, SchemeLeaf, Transport};
use serde_json::{Value, json};

use crate::ropewalk;

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The real binary, serving.
pub(super) struct Watched {
    child: Child,
    base: String,
    lines: Receiver<String>,
    log: Vec<String>,
    reader: Option<JoinHandle<()>>,
    transport: Transport,
    key: Option<&'static str>,
}

impl Watched {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = ropewalk(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let transport = Transport::builder(SchemeLeaf::new()).build();
        let base = String::new();
        let mut served =
            Self { child, base, lines, log: Vec::new(), reader: Some(reader), transport, key: None };
        served.base = served.address_behind("listening on http://");
        served
    }

    /// From now on every request carries this key.
    pub(super) fn with_key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// The address in the log line that has `words` before it.
    pub(super) fn address_behind(&mut self, words: &str) -> String {
        let found = |line: &String| {
            let (_, behind) = line.split_once(words)?;
            Some(behind.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next()?.to_owned())
        };
        loop {
            if let Some(address) = self.log.iter().find_map(found) {
                return address;
            }
            let line = self.lines.recv_timeout(PATIENCE).expect("the server says where it listens");
            self.log.push(line);
        }
    }

    /// Status and body of the reply.
    pub(super) async fn send(&self, request: Request<Body>) -> (u16, String) {
        let response = self.transport.send(request).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect(1 << 20).await.unwrap().to_vec()).unwrap())
    }

    pub(super) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.base));
        let request =
            request.header("openai-beta", "assistants=v2").header("content-type", "application/json");
        match self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, String) {
        self.send(self.request(Method::POST, path).body(Body::from(body.to_string())).unwrap()).await
    }

    /// Makes something and gives its id.
    pub(super) async fn make(&self, path: &str, body: Value) -> String {
        let (status, reply) = self.post(path, body).await;
        assert_eq!(status, 200, "{reply}");
        serde_json::from_str::<Value>(&reply).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// A run on a new thread, streamed to its end; the events.
    pub(super) async fn run(&self, assistant: &str, prompt: &str, headers: &[(&str, &str)]) -> String {
        let thread = json!({"messages": [{"role": "user", "content": prompt}]});
        let body = json!({"assistant_id": assistant, "stream": true, "thread": thread}).to_string();
        let request = self.request(Method::POST, "/v1/threads/runs");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (status, events) = self.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(status, 200, "{events}");
        events
    }

    /// Asks the server to stop, waits for its end, and gives all that it logged.
    pub(super) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.log.extend(self.lines.try_iter());
        self.log.join("\n")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
