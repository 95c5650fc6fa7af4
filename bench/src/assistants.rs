//! The three calls of a run: create a thread, add a message, create the run streamed.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use memchr::memmem;

use crate::connection::Connection;

/// How a token is told of.
pub(crate) const DELTA: &[u8] = b"event: thread.message.delta\n";
const MESSAGE: &str = r#"{"role":"user","content":"Say 200 words."}"#;

/// A new assistant of `model`.
pub(crate) async fn create_assistant(connection: &mut Connection, model: &str) -> anyhow::Result<String> {
    let body = format!(r#"{{"model":"{model}","instructions":"You say what you are asked to say."}}"#);
    id(connection.post("/v1/assistants", &body).await?)
}

/// One run, read to its end; gives the time to its first token over all three calls.
pub(crate) async fn run(connection: &mut Connection, assistant: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let (path, body) = begin(connection, assistant).await?;
    let (stream, first) = connection.post_stream(&path, &body, DELTA).await?;
    completed(&stream[stream.len().saturating_sub(4096)..])?;
    Ok(first - begun)
}

/// The tokens that a run streams.
pub(crate) async fn count_tokens(connection: &mut Connection, assistant: &str) -> anyhow::Result<usize> {
    let (path, body) = begin(connection, assistant).await?;
    let (stream, _) = connection.post_stream(&path, &body, DELTA).await?;
    Ok(memmem::find_iter(stream, DELTA).count())
}

/// Begins a run and reads up to its first token.
pub(crate) async fn open(connection: &mut Connection, assistant: &str) -> anyhow::Result<()> {
    let (path, body) = begin(connection, assistant).await?;
    connection.post_until(&path, &body, DELTA).await
}

/// Reads an open run to its end; gives the tokens that were read since it was opened.
pub(crate) async fn finish(connection: &mut Connection) -> anyhow::Result<usize> {
    let (end, tokens) = connection.drain(DELTA).await?;
    completed(end)?;
    Ok(tokens)
}

/// A new run that nobody reads; gives where its events are.
pub(crate) async fn create_run(connection: &mut Connection, assistant: &str) -> anyhow::Result<String> {
    let thread = create_thread(connection).await?;
    create_message(connection, &thread).await?;
    let path = format!("/v1/threads/{thread}/runs");
    let run = id(connection.post(&path, &format!(r#"{{"assistant_id":"{assistant}"}}"#)).await?)?;
    Ok(format!("{path}/{run}/events"))
}

/// Reads the events of a run behind number `after`, until it is over; gives how many there were.
pub(crate) async fn follow(connection: &mut Connection, events: &str, after: usize) -> anyhow::Result<usize> {
    connection.get_until(&format!("{events}?starting_after={after}"), b"event: ").await?;
    let (_, frames) = connection.drain(b"\nid: ").await?;
    Ok(frames)
}

/// A new thread.
pub(crate) async fn create_thread(connection: &mut Connection) -> anyhow::Result<String> {
    id(connection.post("/v1/threads", "{}").await?)
}

/// A new message, as it came back.
pub(crate) async fn create_message<'a>(
    connection: &'a mut Connection,
    thread: &str,
) -> anyhow::Result<&'a [u8]> {
    connection.post(&format!("/v1/threads/{thread}/messages"), MESSAGE).await
}

fn completed(end: &[u8]) -> anyhow::Result<()> {
    ensure!(memmem::find(end, b"event: thread.run.completed\n").is_some(), "a run did not complete");
    Ok(())
}

async fn begin(connection: &mut Connection, assistant: &str) -> anyhow::Result<(String, String)> {
    let thread = create_thread(connection).await?;
    create_message(connection, &thread).await?;
    let body = format!(r#"{{"assistant_id":"{assistant}","stream":true}}"#);
    Ok((format!("/v1/threads/{thread}/runs"), body))
}

/// The first id in a body.
fn id(body: &[u8]) -> anyhow::Result<String> {
    let name = b"\"id\":\"";
    let begin = memmem::find(body, name).context("an object without an id")? + name.len();
    let length = memchr::memchr(b'"', &body[begin..]).context("an id without an end")?;
    Ok(String::from_utf8_lossy(&body[begin..begin + length]).into_owned())
}
