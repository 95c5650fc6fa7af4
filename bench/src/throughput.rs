use std::{path::Path, time::Duration};

use anyhow::ensure;

use crate::{
    Extent, assistants,
    connection::Connection,
    load::{Outcome, Work, load},
    server::Server,
    upstream,
};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) at_once: usize,
    pub(crate) server: &'static str,
    pub(crate) outcome: Outcome,
}

/// What a token more costs, in the CPU time of the server.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) server: &'static str,
    pub(crate) cpu: Duration,
}

#[derive(Debug)]
pub(crate) struct Throughput {
    pub(crate) rows: Vec<Row>,
    pub(crate) tokens: Vec<Token>,
}

/// Measures runs of 200 tokens: straight from the upstream, through the floor, and through the real server.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Throughput> {
    let upstream = Server::upstream()?;
    let servers = [
        ("floor", Server::floor(upstream.address)?),
        ("ropewalk serve", Server::ropewalk(ropewalk, upstream.address)?),
    ];
    let mut rows = Vec::new();
    for &at_once in extent.at_once {
        let outcome = load(&upstream, &Work::Completion, at_once, extent.window).await?;
        rows.push(Row { at_once, server: "upstream alone", outcome });
        for (name, server) in &servers {
            let work = work(server, upstream::PLAIN, upstream::TOKENS).await?;
            let outcome = load(server, &work, at_once, extent.window).await?;
            rows.push(Row { at_once, server: name, outcome });
        }
    }
    let mut tokens = Vec::new();
    for (name, server) in &servers {
        let work = work(server, upstream::LONG, 10 * upstream::TOKENS).await?;
        let long = load(server, &work, 16, extent.window).await?.cpu_per_run;
        let plain = rows.iter().find(|row| row.server == *name && row.at_once == 16);
        let plain = plain.map_or(Duration::ZERO, |row| row.outcome.cpu_per_run);
        let more = u32::try_from(9 * upstream::TOKENS)?;
        tokens.push(Token { server: name, cpu: long.saturating_sub(plain) / more });
    }
    Ok(Throughput { rows, tokens })
}

/// Runs of a new assistant that answers with so many tokens, each of which is seen to come through.
async fn work(server: &Server, model: &str, tokens: usize) -> anyhow::Result<Work> {
    let mut connection = Connection::open(server.address).await?;
    let assistant = assistants::create_assistant(&mut connection, model).await?;
    let seen = assistants::count_tokens(&mut connection, &assistant).await?;
    ensure!(seen == tokens, "{seen} of {tokens} tokens came through");
    Ok(Work::Run(assistant))
}
