#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use ropewalk::Value;
use serde_json::json;

/// How long something may take that takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed when it is dropped.
pub(crate) struct Served {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Served {
    /// Starts the server, or gives what it said last.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut last = String::new();
        for line in log.by_ref().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.split(' ').next().unwrap_or_default().to_owned();
                let said = Arc::new(Mutex::new(Vec::new()));
                let keep = said.clone();
                thread::spawn(move || {
                    log.map_while(Result::ok).for_each(|line| keep.lock().unwrap().push(line))
                });
                return Ok(Self { child, address, log: said });
            }
            last = line;
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(1), "{last}");
        Err(last)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.send(&format!("GET /v1{path}"), "application/json", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(&format!("POST /v1{path}"), "application/json", body.to_string().as_bytes())
    }

    pub(crate) fn upload(&self, bytes: usize) -> (u16, Value) {
        let body = format!(
            "--rope\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--rope\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{}\r\n--rope--\r\n",
            "rope".repeat(bytes / 4)
        );
        self.send("POST /v1/files", "multipart/form-data; boundary=rope", body.as_bytes())
    }

    /// Makes a run, and waits until it is `in_progress`; gives its path.
    pub(crate) fn run(&self) -> String {
        let (_, assistant) = self.post("/assistants", &json!({"model": "a-model"}));
        let body = json!({
            "assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "Hello"}]}
        });
        let (status, run) = self.post("/threads/runs", &body);
        assert_eq!(status, 200, "{run}");
        let text = |name: &str| run[name].as_str().unwrap().to_owned();
        let path = format!("/threads/{}/runs/{}", text("thread_id"), text("id"));
        self.until(&path, "in_progress");
        path
    }

    /// Waits until an object has this status; gives how long that took.
    pub(crate) fn until(&self, path: &str, status: &str) -> Duration {
        let start = Instant::now();
        loop {
            let (_, object) = self.get(path);
            if object["status"] == status {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "not {status}: {object}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until this stands in its log.
    pub(crate) fn until_it_says(&self, what: &str) {
        let start = Instant::now();
        while !self.log.lock().unwrap().iter().any(|line| line.contains(what)) {
            assert!(start.elapsed() < PATIENCE, "it did not say {what:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn send(&self, what: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\nopenai-beta: assistants=v2\r\ncontent-type: {content_type}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        drop(stream.write_all(body)); // It may answer before it has read all.
        let mut reply = Vec::new();
        drop(stream.read_to_end(&mut reply));
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {reply:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a refusal says, which has the form of the API's errors.
pub(crate) fn message_of(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap_or_else(|| panic!("no error of the API: {body}"))
}

/// A host of models that answers when it is let, and not before.
pub(crate) struct Upstream {
    pub(crate) url: String,
    may_answer: Arc<AtomicBool>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let may_answer = Arc::new(AtomicBool::new(false));
        let let_through = may_answer.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let may_answer = let_through.clone();
                thread::spawn(move || answer(stream, &may_answer));
            }
        });
        Self { url, may_answer }
    }

    pub(crate) fn answer(&self) {
        self.may_answer.store(true, SeqCst);
    }
}

/// Says half an answer, and the rest when it may.
fn answer(mut stream: TcpStream, may_answer: &AtomicBool) -> Option<()> {
    let mut line = String::new();
    let mut request = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    while request.read_line(&mut line).ok()? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    request.read_exact(&mut vec![0; length]).ok()?;
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(chunk(json!({"role": "assistant", "content": "Half "}), Value::Null).as_bytes()).ok()?;
    while !may_answer.load(SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
    stream.write_all(chunk(json!({"content": "and half."}), Value::Null).as_bytes()).ok()?;
    stream.write_all(chunk(json!({}), json!("stop")).as_bytes()).ok()?;
    stream.write_all(b"data: [DONE]\n\n").ok()
}
