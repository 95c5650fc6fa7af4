use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use memchr::memmem;
use ropewalk_store::{Batch, Durability, Kind, Put, Scope};
use serde_json::Value;

use crate::{Extent, assistants, connection::Connection, server::Server};

/// Messages of the thread that the long one is measured beside.
const SHORT: usize = 10;
/// Messages on a page: both threads have one more behind each cursor.
const PAGE: usize = 4;
/// Messages stored at once.
const BATCH: usize = 1_000;

/// A page of a list, and the time of both threads for it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) what: &'static str,
    /// Medians.
    pub(crate) short: Duration,
    pub(crate) long: Duration,
}

#[derive(Debug)]
pub(crate) struct Lists {
    /// Messages of the threads.
    pub(crate) short: usize,
    pub(crate) long: usize,
    pub(crate) pages: Vec<Page>,
}

/// Times pages of a short thread and of a long one.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Lists> {
    let upstream = Server::upstream()?;
    let server = Server::ropewalk(ropewalk, upstream.address)?;
    let mut connection = Connection::open(server.address).await?;
    let documents = server.documents()?;
    let short = Thread::fill(&mut connection, &documents, SHORT).await?;
    let long = Thread::fill(&mut connection, &documents, extent.messages).await?;
    let mut pages = Vec::new();
    for (what, query) in [("newest", ""), ("oldest", "&order=asc"), ("behind any message", "&after=")] {
        let (mut of_short, mut of_long) = (Vec::new(), Vec::new());
        let end = Instant::now() + extent.window;
        // In turns, so that what else the machine does falls on both alike.
        while Instant::now() < end {
            of_short.push(short.time(&mut connection, query, of_short.len()).await?);
            of_long.push(long.time(&mut connection, query, of_long.len()).await?);
        }
        pages.push(Page { what, short: median(of_short), long: median(of_long) });
    }
    Ok(Lists { short: SHORT, long: extent.messages, pages })
}

struct Thread {
    id: String,
    messages: usize,
}

impl Thread {
    /// A new thread with copies of the message that the server made of a request, the newest last.
    async fn fill(connection: &mut Connection, documents: &Scope, messages: usize) -> anyhow::Result<Self> {
        let id = assistants::create_thread(connection).await?;
        let mut message: Value = serde_json::from_slice(assistants::create_message(connection, &id).await?)?;
        let thread = Self { id, messages };
        // The pattern is no part of the list.
        documents
            .commit(Batch::new().delete(Kind::Message, message["id"].as_str().unwrap_or_default()))
            .await?;
        let numbers: Vec<usize> = (0..messages).collect();
        for numbers in numbers.chunks(BATCH) {
            let mut batch = Batch::new().durability(Durability::Written);
            for &number in numbers {
                let (id, created_at) = (thread.message(number), 1_700_000_000 + i64::try_from(number)?);
                (message["id"], message["created_at"]) = (id.as_str().into(), created_at.into());
                let put = Put::new(Kind::Message, id, created_at, message.to_string());
                batch = batch.put(put.parent(&thread.id));
            }
            documents.commit(batch).await?;
        }
        Ok(thread)
    }

    /// How long a page takes; `turn` picks the cursor if the query wants one.
    async fn time(&self, connection: &mut Connection, query: &str, turn: usize) -> anyhow::Result<Duration> {
        let mut path = format!("/v1/threads/{}/messages?limit={PAGE}{query}", self.id);
        if query.ends_with('=') {
            // A prime stride: the cursors lie all over the thread, each with more than a page behind it.
            path += &self.message(PAGE + 1 + turn * 7_919 % (self.messages - PAGE - 1));
        }
        let begun = Instant::now();
        let page = connection.get(&path).await?;
        let took = begun.elapsed();
        let seen = memmem::find_iter(page, b"\"thread.message\"").count();
        ensure!(seen == PAGE, "a page of {seen} messages");
        Ok(took)
    }

    fn message(&self, number: usize) -> String {
        format!("msg_{}of{}", number, self.messages)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
