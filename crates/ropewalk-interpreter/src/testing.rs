//! A backend without Python, for tests.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;

use crate::{Backend, CellEnd, CellEvent, Content, DataFile, Error, Interpreter, Output};

/// The files of a scripted session, by path.
pub type Files = BTreeMap<String, Bytes>;

type Script = dyn Fn(&str, &mut Files) -> Vec<CellEvent> + Send + Sync;

/// Sessions that answer each cell as a function says, and count themselves.
#[derive(Clone)]
pub struct ScriptedBackend {
    script: Arc<Script>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    live: AtomicUsize,
    begun: AtomicUsize,
    fails: AtomicBool,
}

impl ScriptedBackend {
    /// Sessions that do to a cell what `script` does: it may change the files, and gives what the cell did. A cell without an
    /// end goes on for ever.
    pub fn new(script: impl Fn(&str, &mut Files) -> Vec<CellEvent> + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), counts: Arc::default() }
    }

    /// Sessions whose cells print their own code.
    pub fn echo() -> Self {
        Self::new(|code, _| {
            vec![CellEvent::Output(Output::Text(code.to_owned())), CellEvent::End(CellEnd::Completed)]
        })
    }

    /// Sessions that live now.
    pub fn live(&self) -> usize {
        self.counts.live.load(Ordering::SeqCst)
    }

    /// Sessions that were ever begun.
    pub fn begun(&self) -> usize {
        self.counts.begun.load(Ordering::SeqCst)
    }

    /// From now on sessions fail to begin, or no longer do.
    pub fn fail(&self, fails: bool) {
        self.counts.fails.store(fails, Ordering::SeqCst);
    }
}

#[async_trait]
impl Backend for ScriptedBackend {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        tokio::task::yield_now().await;
        if self.counts.fails.load(Ordering::SeqCst) {
            return Err(Error::Start("it was told to fail".to_owned()));
        }
        self.counts.live.fetch_add(1, Ordering::SeqCst);
        self.counts.begun.fetch_add(1, Ordering::SeqCst);
        let (script, counts) = (self.script.clone(), self.counts.clone());
        Ok(Box::new(Scripted { script, counts, files: Mutex::default(), lost: false }))
    }
}

struct Scripted {
    script: Arc<Script>,
    counts: Arc<Counts>,
    files: Mutex<Files>,
    lost: bool,
}

#[async_trait]
impl Interpreter for Scripted {
    fn run<'a>(&'a mut self, code: String) -> BoxStream<'a, CellEvent> {
        let events = (self.script)(&code, &mut self.files.lock());
        let ends = |end: fn(&CellEnd) -> bool| {
            events.iter().any(|event| matches!(event, CellEvent::End(how) if end(how)))
        };
        self.lost |= ends(|end| matches!(end, CellEnd::Lost { .. }));
        match ends(|_| true) {
            true => stream::iter(events).boxed(),
            false => stream::iter(events).chain(stream::pending()).boxed(),
        }
    }

    fn is_alive(&self) -> bool {
        !self.lost
    }

    async fn put(&self, path: &str, mut content: Content) -> Result<u64, Error> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).await.map_err(Error::io("a file of the session"))?;
        let size = bytes.len() as u64;
        self.files.lock().insert(path.to_owned(), bytes.into());
        Ok(size)
    }

    async fn open(&self, path: &str) -> Result<(Content, u64), Error> {
        let bytes = self.files.lock().get(path).cloned();
        let missing = || Error::File { name: path.to_owned(), why: "it is not there" };
        let bytes = bytes.ok_or_else(missing)?;
        let size = bytes.len() as u64;
        Ok((Box::pin(Cursor::new(bytes)), size))
    }

    async fn files(&self) -> Result<Vec<DataFile>, Error> {
        let file = |(path, bytes): (&String, &Bytes)| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            DataFile { path: path.clone(), bytes: bytes.len() as u64, version: hasher.finish().into() }
        };
        Ok(self.files.lock().iter().map(file).collect())
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.counts.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for ScriptedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBackend").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("lost", &self.lost).finish_non_exhaustive()
    }
}
