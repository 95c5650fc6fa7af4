//! A Chat Completions server that streams a fixed answer, as fast as it is read or word by word.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use futures_util::{Stream, StreamExt, future::ready, stream};
use tokio::{net::TcpListener, time::interval};

use crate::server::LISTENING;

/// The model whose answer is a run's, in tokens.
pub(crate) const TOKENS: usize = 200;
/// A model that answers with ten times as many.
pub(crate) const LONG: &str = "long";
/// A model that answers with a hundred times as many.
pub(crate) const LONGER: &str = "longer";
/// A model that says one word, then holds the stream open.
pub(crate) const HELD: &str = "held";
/// A model that says a word each [`TICK`], until somebody asks for [`ENOUGH`].
pub(crate) const STEADY: &str = "steady";
/// A model that ends all answers of [`STEADY`].
pub(crate) const ENOUGH: &str = "enough";
/// The time between two words of [`STEADY`].
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// Any other model's name.
pub(crate) const PLAIN: &str = "plain";

/// The answer of [`PLAIN`], a frame for each token, and the frames that end it.
pub(crate) fn answer(tokens: usize) -> Vec<Bytes> {
    let chunk = |delta: &str, finish: &str, usage: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
             \"model\":\"plain\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":{usage}}}\n\n"
        ))
    };
    let mut frames: Vec<Bytes> = (0..tokens)
        .map(|number| chunk(&format!("{{\"content\":\" word{}\"}}", number % 10), "null", "null"))
        .collect();
    let usage =
        format!("{{\"prompt_tokens\":9,\"completion_tokens\":{tokens},\"total_tokens\":{}}}", tokens + 9);
    frames.push(chunk("{}", "\"stop\"", &usage));
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}

struct Answers {
    plain: Arc<[Bytes]>,
    long: Arc<[Bytes]>,
    longer: Arc<[Bytes]>,
    is_enough: AtomicBool,
}

/// Serves until the process is killed.
#[tokio::main]
pub(crate) async fn serve() -> anyhow::Result<()> {
    let answers = Answers {
        plain: answer(TOKENS).into(),
        long: answer(10 * TOKENS).into(),
        longer: answer(100 * TOKENS).into(),
        is_enough: AtomicBool::new(false),
    };
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::new(answers));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("{LISTENING}{}", listener.local_addr()?);
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn complete(State(answers): State<Arc<Answers>>, request: Bytes) -> Response {
    let names =
        |model: &str| memchr::memmem::find(&request, format!("\"model\":\"{model}\"").as_bytes()).is_some();
    if names(ENOUGH) {
        answers.is_enough.store(true, Ordering::Relaxed);
    }
    if names(STEADY) {
        let words = steady(answers).map(Ok::<_, Infallible>);
        return ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(words)).into_response();
    }
    let frames = match () {
        () if names(LONG) => answers.long.clone(),
        () if names(LONGER) => answers.longer.clone(),
        () => answers.plain.clone(),
    };
    let length = if names(HELD) { 1 } else { frames.len() };
    let sent = stream::iter(0..length).map(move |at| Ok::<_, Infallible>(frames[at].clone()));
    let body =
        if names(HELD) { Body::from_stream(sent.chain(stream::pending())) } else { Body::from_stream(sent) };
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn steady(answers: Arc<Answers>) -> impl Stream<Item = Bytes> {
    let mut interval = interval(TICK);
    let (word, end) = (answers.plain[0].clone(), answers.plain[TOKENS..].to_vec());
    let words = stream::poll_fn(move |context| interval.poll_tick(context).map(Some))
        .take_while(move |_| ready(!answers.is_enough.load(Ordering::Relaxed)))
        .map(move |_| word.clone());
    words.chain(stream::iter(end))
}
