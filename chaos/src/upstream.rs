//! A Chat Completions server that answers, calls tools, fails, stalls and breaks off, as its dice say.

mod turn;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use bytes::Bytes;
use futures_util::{StreamExt, future::pending, stream};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{net::TcpListener, time::sleep};

use crate::{answer, faults::Faults, recovery::Recovery};
use turn::{Break, Turn};

/// Most bytes of a request.
const MAX_REQUEST_BYTES: usize = 16 << 20;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The scripted upstream, in this process.
#[derive(Debug)]
pub(crate) struct Upstream {
    dice: Mutex<StdRng>,
    /// Whether it only answers well from now on.
    calm: AtomicBool,
    /// Answers and tool calls so far, for their names.
    number: AtomicU64,
    /// Calls that are not over.
    open: AtomicUsize,
    calls: Mutex<Calls>,
    recovery: Arc<Recovery>,
    faults: Arc<Faults>,
}

/// How many calls went which way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    pub(crate) whole: usize,
    pub(crate) refused: usize,
    pub(crate) broken_off: usize,
    pub(crate) stalled: usize,
}

impl Upstream {
    pub(crate) fn new(seed: u64, recovery: Arc<Recovery>, faults: Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            calm: AtomicBool::new(false),
            number: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            calls: Mutex::default(),
            recovery,
            faults,
        })
    }

    /// Serves on a port of its own and in a thread of its own, for as long as the process lives.
    pub(crate) async fn serve(self: &Arc<Self>) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?.into_std()?;
        let address = listener.local_addr()?;
        let upstream = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || runtime.block_on(upstream.accept(listener)));
        Ok(address)
    }

    async fn accept(self: Arc<Self>, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            // What is broken off is reset, and not closed in an orderly way.
            let _best_effort = (socket.set_nodelay(true), socket.set_zero_linger());
            let upstream = self.clone();
            let service = service_fn(move |request| upstream.clone().complete(request));
            // That connections break is what this is for.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    }

    /// From now on all calls are answered, at once and to their end.
    pub(crate) fn be_calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open_calls(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().clone()
    }

    /// Answers one call; an error resets its connection.
    async fn complete(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        let request: Value = serde_json::from_slice(&body)?;
        self.examine(&request);
        let open = Open::new(&self);
        let turn = Turn::choose(&mut self.dice.lock(), &request, self.calm.load(Ordering::Relaxed), || {
            self.number.fetch_add(1, Ordering::Relaxed)
        });
        self.count(&turn);
        match turn {
            Turn::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            Turn::Hang => pending().await,
            Turn::Refuse(status) => {
                let error =
                    r#"{"error":{"message":"not now","type":"server_error","param":null,"code":null}}"#;
                let body = Full::from(error).map_err(|never: Infallible| match never {}).boxed_unsync();
                let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
                response.body(body).map_err(io::Error::other)
            }
            Turn::Answer { frames, pace, breaks } => {
                let frames = stream::iter(frames).then(move |frame| async move {
                    sleep(pace).await;
                    Ok(Frame::data(frame))
                });
                let end = match breaks {
                    Break::Not | Break::Early => stream::empty().boxed(),
                    Break::Reset => stream::iter([Err(io::ErrorKind::ConnectionReset.into())]).boxed(),
                    Break::Stall => stream::pending().boxed(),
                };
                let body = frames.chain(end).map(move |frame| {
                    // Open until the body is dropped.
                    let _open = &open;
                    frame
                });
                let response = Response::builder().header(CONTENT_TYPE, "text/event-stream");
                response.body(StreamBody::new(body).boxed_unsync()).map_err(io::Error::other)
            }
        }
    }

    /// What a model must never be shown: half an answer, another output than the client gave.
    fn examine(&self, request: &Value) {
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        for message in messages {
            let text = message["content"].as_str();
            match message["role"].as_str() {
                Some("assistant") if text.is_some_and(|text| !answer::is_whole(text)) => {
                    self.faults.add(format!("a model was shown what none said to its end: {message}"));
                }
                Some("tool") => {
                    let call = message["tool_call_id"].as_str().unwrap_or_default();
                    if text != Some(&answer::output(call)) {
                        self.faults
                            .add(format!("a model was shown another output than was given: {message}"));
                    }
                }
                _ => {}
            }
        }
        if let Some(client) = turn::client(messages) {
            self.recovery.called(client);
        }
    }

    fn count(&self, turn: &Turn) {
        let mut calls = self.calls.lock();
        match turn {
            Turn::Refuse(_) => calls.refused += 1,
            Turn::Answer { breaks: Break::Not, .. } => calls.whole += 1,
            Turn::Hang | Turn::Answer { breaks: Break::Stall, .. } => calls.stalled += 1,
            Turn::Reset | Turn::Answer { .. } => calls.broken_off += 1,
        }
    }
}

/// A call that is not over.
struct Open(Arc<Upstream>);

impl Open {
    fn new(upstream: &Arc<Upstream>) -> Self {
        upstream.open.fetch_add(1, Ordering::Relaxed);
        Self(upstream.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
