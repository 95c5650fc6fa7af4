//! The least HTTP client that can make load: one connection that is kept, no parsing beyond what it needs.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::KEY;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(20);
/// The end of a chunked body.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// What is kept of a drained stream, in bytes: enough for how its run ended.
const TAIL: usize = 4096;

/// A connection; after an error it has to be opened anew.
pub(crate) struct Connection {
    socket: TcpStream,
    key: String,
    /// What the last reply was.
    reply: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = timeout(SILENCE, TcpStream::connect(address)).await??;
        socket.set_nodelay(true)?;
        Ok(Self { socket, key: KEY.to_owned(), reply: Vec::with_capacity(128 * 1024) })
    }

    /// The connection of whoever has this key.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Posts `body` and gives the body of a reply that has a length.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<&[u8]> {
        self.send("POST", path, body).await?;
        self.body().await
    }

    /// Gives the body of what is at `path`.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<&[u8]> {
        self.send("GET", path, "").await?;
        self.body().await
    }

    /// Posts what asks for something that is not there.
    pub(crate) async fn post_in_vain(&mut self, path: &str, body: &str) -> anyhow::Result<()> {
        self.send("POST", path, body).await?;
        let start = self.head_of(b"HTTP/1.1 404 ").await?;
        self.rest(start).await.map(drop)
    }

    async fn body(&mut self) -> anyhow::Result<&[u8]> {
        let start = self.head().await?;
        self.rest(start).await
    }

    /// Reads the body of a reply that begins at `start`.
    async fn rest(&mut self, start: usize) -> anyhow::Result<&[u8]> {
        let head = &self.reply[..start];
        let name = b"content-length: ";
        let at = memmem::find(head, name).context("a reply without a length")? + name.len();
        let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length: usize = std::str::from_utf8(&head[at..at + digits])?.parse()?;
        while self.reply.len() < start + length {
            self.read().await?;
        }
        Ok(&self.reply[start..])
    }

    /// Whether a GET of `path` is answered with 200.
    pub(crate) async fn is_ok(&mut self, path: &str) -> bool {
        self.send("GET", path, "").await.is_ok() && self.head().await.is_ok()
    }

    /// Posts `body` and reads a stream until `mark` is in it.
    pub(crate) async fn post_until(&mut self, path: &str, body: &str, mark: &[u8]) -> anyhow::Result<()> {
        self.send("POST", path, body).await?;
        self.until(mark).await
    }

    /// Gets a stream and reads until `mark` is in it.
    pub(crate) async fn get_until(&mut self, path: &str, mark: &[u8]) -> anyhow::Result<()> {
        self.send("GET", path, "").await?;
        self.until(mark).await
    }

    async fn until(&mut self, mark: &[u8]) -> anyhow::Result<()> {
        let mut seen = self.head().await?;
        while memmem::find(&self.reply[seen..], mark).is_none() {
            // The mark may lie across two reads.
            seen = self.reply.len().saturating_sub(mark.len()).max(seen);
            self.read().await?;
        }
        Ok(())
    }

    /// Posts `body` and reads a stream to its end; gives its bytes, and the time when `mark` was first in it.
    pub(crate) async fn post_stream(
        &mut self,
        path: &str,
        body: &str,
        mark: &[u8],
    ) -> anyhow::Result<(&[u8], Instant)> {
        self.post_until(path, body, mark).await?;
        let marked = Instant::now();
        while !self.reply.ends_with(LAST_CHUNK) {
            self.read().await?;
        }
        Ok((&self.reply, marked))
    }

    /// Reads an open stream to its end and keeps no more than its tail; gives that, and how often `mark` was read.
    pub(crate) async fn drain(&mut self, mark: &[u8]) -> anyhow::Result<(&[u8], usize)> {
        let mut marks = 0;
        while !self.reply.ends_with(LAST_CHUNK) {
            let gone = self.reply.len().saturating_sub(TAIL);
            // A mark that begins before the cut goes with it.
            let cut = self.reply.len().min(gone + mark.len() - 1);
            marks += memmem::find_iter(&self.reply[..cut], mark).count();
            self.reply.drain(..gone);
            self.read().await?;
        }
        marks += memmem::find_iter(&self.reply, mark).count();
        Ok((&self.reply, marks))
    }

    /// The connection, with nothing left of what it read.
    pub(crate) fn without_reply(mut self) -> Self {
        self.reply = Vec::new();
        self
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        self.reply.clear();
        let (key, length) = (&self.key, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\nopenai-beta: assistants=v2\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Ok(timeout(SILENCE, self.socket.write_all(request.as_bytes())).await??)
    }

    async fn head(&mut self) -> anyhow::Result<usize> {
        self.head_of(b"HTTP/1.1 200 ").await
    }

    /// Reads the head of a reply that begins so; gives where its body begins.
    async fn head_of(&mut self, status: &[u8]) -> anyhow::Result<usize> {
        loop {
            if let Some(end) = memmem::find(&self.reply, b"\r\n\r\n") {
                if !self.reply.starts_with(status) {
                    bail!("{}", String::from_utf8_lossy(&self.reply));
                }
                return Ok(end + 4);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = timeout(SILENCE, self.socket.read_buf(&mut self.reply)).await??;
        ensure!(read > 0, "the connection was closed");
        Ok(())
    }
}
