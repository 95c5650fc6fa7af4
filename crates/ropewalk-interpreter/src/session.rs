use std::{
    io,
    os::fd::OwnedFd,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use rustix::{
    event::Timespec,
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::{UnixStream, unix::pipe},
    runtime::Handle,
    task,
};

use crate::{
    Cell, CellEvent, Content, DataFile, Error, Interpreter, Limits, channels::Channels,
    control_group::ControlGroup, data_folder::DataFolder, launch::Started, message, process::Process,
};

/// How long the processes of a session that was killed may take to go.
const LONGEST_END: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// One Python interpreter behind the wall, with its variables and its files. Ends when it is dropped, with all of its
/// processes.
#[derive(Debug)]
pub struct Session {
    pub(crate) wire: Wire,
    pub(crate) limits: Limits,
    data: DataFolder,
    cells: u64,
}

/// What the server hears of a session, and how it reaches it.
#[derive(Debug)]
pub(crate) struct Wire {
    init: OwnedFd,
    first: Arc<Process>,
    pub(crate) control: UnixStream,
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
    /// What came over the control socket and is no whole frame yet.
    pub(crate) frames: BytesMut,
    group: Option<ControlGroup>,
    /// A cell that nobody waited for to its end.
    pub(crate) unfinished: Option<String>,
    /// It is as good as gone, though its processes may take a moment to end.
    is_killed: AtomicBool,
}

impl Session {
    pub(crate) fn new(started: Started, limits: Limits) -> Result<Self, Error> {
        let Started { channels, first, data, group, uid } = started;
        let Channels { init, control, stdout, stderr } = channels;
        control.set_nonblocking(true).map_err(Error::io("a socket"))?;
        for pipe in [&stdout, &stderr] {
            // Of this end alone: whoever writes waits as ever.
            let flags = fcntl_getfl(pipe).map_err(Error::errno("a pipe"))?;
            fcntl_setfl(pipe, flags | OFlags::NONBLOCK).map_err(Error::errno("a pipe"))?;
        }
        let pipe = |pipe| pipe::Receiver::from_owned_fd(pipe).map_err(Error::io("a pipe"));
        let wire = Wire {
            init,
            first: Arc::new(first),
            control: UnixStream::from_std(control).map_err(Error::io("a socket"))?,
            stdout: pipe(stdout)?,
            stderr: pipe(stderr)?,
            frames: BytesMut::new(),
            group,
            unfinished: None,
            is_killed: AtomicBool::new(false),
        };
        let data = DataFolder::new(data, uid, limits.file);
        Ok(Self { wire, limits, data, cells: 0 })
    }

    /// Begins a cell. Whoever drops it before its end has it interrupted.
    pub fn run(&mut self, code: impl Into<String>) -> Cell<'_> {
        self.cells += 1;
        // What a cell before this one left behind may say anything, but it cannot know this.
        let secret = std::collections::hash_map::RandomState::new();
        let secret = std::hash::BuildHasher::hash_one(&secret, self.cells);
        Cell::new(self, format!("{}-{secret:x}", self.cells), code.into())
    }

    /// The folder `/mnt/data`.
    pub fn data(&self) -> &DataFolder {
        &self.data
    }

    /// Whether it still lives, as far as is known. Its folder may be read all the same.
    pub fn is_alive(&self) -> bool {
        if self.wire.is_killed.load(Ordering::Relaxed) {
            return false;
        }
        !self.wire.first.ends_within(&Timespec::default())
    }

    /// Ends it; done when none of its processes is left.
    pub async fn end(self) {
        self.wire.kill();
        self.wire.ended().await;
    }
}

impl Wire {
    pub(crate) async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.control.write_all(frame).await
    }

    /// A cell begins.
    pub(crate) fn work(&self) {
        if let Some(group) = &self.group {
            group.work();
        }
    }

    /// No cell runs.
    pub(crate) fn rest(&self) {
        // Whoever ends is in a hurry.
        if let Some(group) = self.group.as_ref().filter(|_| !self.is_killed.load(Ordering::Relaxed)) {
            group.rest();
        }
    }

    /// Asks the worker to stop what it does, as a key on a terminal would.
    pub(crate) fn interrupt(&self) {
        // Whoever is gone needs no interruption.
        let _gone = message::send(&self.init, b"interrupt", &[]);
    }

    /// Ends all processes.
    pub(crate) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
        if let Some(group) = &self.group {
            group.kill();
        }
        self.first.kill();
    }

    /// Done when its first process has ended, and with it all others.
    pub(crate) async fn ended(&self) {
        let first = self.first.clone();
        // Whoever was killed ends, whatever it did; under pressure of memory that takes a while.
        let _ended = task::spawn_blocking(move || first.ends_within(&LONGEST_END)).await;
    }

    /// What a stream has now, without waiting for more.
    pub(crate) fn poll_read(
        reader: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(pin!(reader).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.kill();
        if let (Some(group), Ok(runtime)) = (self.group.take(), Handle::try_current()) {
            runtime.spawn(group.remove());
        }
    }
}

#[async_trait]
impl Interpreter for Session {
    fn run<'a>(&'a mut self, code: String) -> BoxStream<'a, CellEvent> {
        let cell = Session::run(self, code);
        let events = stream::unfold(Some(cell), |cell| async {
            let mut cell = cell?;
            match cell.next().await {
                Some(output) => Some((CellEvent::Output(output), Some(cell))),
                None => Some((CellEvent::End(cell.end().await), None)),
            }
        });
        events.boxed()
    }

    fn is_alive(&self) -> bool {
        Session::is_alive(self)
    }

    async fn put(&self, path: &str, content: Content) -> Result<u64, Error> {
        self.data.put(path, content).await
    }

    async fn open(&self, path: &str) -> Result<(Content, u64), Error> {
        let (file, bytes) = self.data.open(path).await?;
        Ok((Box::pin(file), bytes))
    }

    async fn files(&self) -> Result<Vec<DataFile>, Error> {
        self.data.files().await
    }
}
