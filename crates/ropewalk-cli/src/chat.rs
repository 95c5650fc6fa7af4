use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use ropewalk::{
    Client, CreateAssistant, CreateMessage, CreateRun, CreateThread, Embedded, ErrorObject, EventHandler,
    Run, RunStatus, Text, TextDelta, ThreadId, async_trait,
};
use ropewalk_server::RuntimeOptions;
use ropewalk_store::{Blobs, Store};
use ropewalk_transport::Secret;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::upstream::UpstreamCalls;

/// Longest line that is taken from the terminal, in bytes.
const MAX_LINE: u64 = 1024 * 1024;

/// Talks to an assistant from the terminal, with a server or embedded.
///
/// Everything that is said stays in a thread, whose id is shown: give it back with `--thread` to go on.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Base URL of a server, `http://127.0.0.1:8484/v1` say. [env: OPENAI_BASE_URL, unless the runtime is embedded
    /// by `--upstream` or `--data-dir`]
    #[arg(long)]
    base_url: Option<String>,
    /// Key for the server.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    api_key: Option<Secret>,
    /// Embedded: base URL of any Chat Completions server. Without one a script answers.
    #[arg(long, env = "ROPEWALK_UPSTREAM")]
    upstream: Option<String>,
    /// Embedded: key for the upstream.
    #[arg(long, env = "ROPEWALK_UPSTREAM_KEY", hide_env_values = true)]
    upstream_key: Option<Secret>,
    /// Embedded: where everything is kept. Without it, everything is forgotten at the end.
    #[arg(long, env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// An assistant that is there already; without one, one is made.
    #[arg(long)]
    assistant: Option<String>,
    /// A thread to go on with.
    #[arg(long)]
    thread: Option<String>,
    /// The model of an assistant that is made.
    #[arg(long, default_value = "gpt-4o")]
    model: String,
    /// What an assistant that is made is told first.
    #[arg(long, default_value = "You are a helpful assistant. Answer briefly.")]
    instructions: String,
}

impl Chat {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let client = self.client()?;
        let assistant = match &self.assistant {
            Some(id) => client.assistants().get(id.as_str()).await?,
            None => {
                let request = CreateAssistant::new(self.model.as_str()).instructions(&self.instructions);
                client.assistants().create(request.name("ropewalk chat")).await?
            }
        };
        let thread = match &self.thread {
            Some(id) => client.threads().get(id.as_str()).await?,
            None => client.threads().create(CreateThread::new()).await?,
        };
        note(&format!("{} on {}; an empty line ends it\n", assistant.id, thread.id));
        let mut input = BufReader::new(tokio::io::stdin());
        while let Some(line) = ask(&mut input).await? {
            client.messages().create(&thread.id, CreateMessage::user(line)).await?;
            answer(&client, &thread.id, CreateRun::new(&assistant.id)).await?;
        }
        Ok(())
    }

    fn client(&self) -> anyhow::Result<Client> {
        let embedded = self.upstream.is_some() || self.data_dir.is_some();
        let from_env = || std::env::var("OPENAI_BASE_URL").ok().filter(|_| !embedded);
        if let Some(url) = self.base_url.clone().or_else(from_env) {
            let client = Client::builder().base_url(url);
            let client = match &self.api_key {
                Some(key) => client.api_key(key.clone()),
                None => client,
            };
            return Ok(client.build()?);
        }
        let unusable = |folder: &Path| format!("the data folder {} cannot be used", folder.display());
        let (store, blobs) = match &self.data_dir {
            Some(folder) => (
                Store::sqlite(folder).with_context(|| unusable(folder))?,
                Blobs::in_folder(folder.join("blobs")).with_context(|| unusable(folder))?,
            ),
            None => (Store::in_memory(), Blobs::in_memory()),
        };
        let model = UpstreamCalls::default().model(self.upstream.as_deref(), self.upstream_key.clone())?;
        Ok(Client::embedded(Embedded::new(store, blobs, model, RuntimeOptions::default())))
    }
}

/// The next line of the user; `None` at the end.
async fn ask(input: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> anyhow::Result<Option<String>> {
    note("\nyou > ");
    let mut line = Vec::new();
    let mut bounded = tokio::io::AsyncReadExt::take(input, MAX_LINE);
    bounded.read_until(b'\n', &mut line).await?;
    anyhow::ensure!(bounded.limit() > 0, "a line of more than {MAX_LINE} bytes is too long to be said");
    let line = String::from_utf8_lossy(&line).trim().to_owned();
    Ok((!line.is_empty()).then_some(line))
}

/// Streams one run to the terminal.
async fn answer(client: &Client, thread: &ThreadId, run: CreateRun) -> anyhow::Result<()> {
    let events = client.runs().create_stream(thread, run).await?;
    let (_, snapshot) = events.drive(Terminal).await?;
    // The terminal cannot run functions: a run that asks for one is let go, so that the thread is free.
    if let Some(run) = snapshot.run().filter(|run| run.status == RunStatus::RequiresAction) {
        note("[this assistant calls functions, which `chat` cannot run: the run is cancelled]\n");
        client.runs().cancel(thread, &run.id).await?;
        client.runs().wait(thread, &run.id).await?;
    }
    Ok(())
}

/// Prints an answer as it is written.
struct Terminal;

#[async_trait]
impl EventHandler for Terminal {
    async fn on_text_created(&mut self, _: &Text) {
        note("assistant > ");
    }

    async fn on_text_delta(&mut self, delta: &TextDelta, _: &Text) {
        say(delta.value.as_deref().unwrap_or_default());
    }

    async fn on_text_done(&mut self, _: &Text) {
        say("\n");
    }

    async fn on_run_done(&mut self, run: &Run) {
        if let Some(error) = &run.last_error {
            note(&format!("[the run failed: {}]\n", error.message));
        }
    }

    async fn on_error(&mut self, error: &ErrorObject) {
        note(&format!("\n[{}]\n", error.message));
    }
}

/// What the assistant says goes to stdout. That nobody reads any more is no reason to stop the run.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _unread = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What is about the conversation goes to stderr.
fn note(text: &str) {
    let mut err = std::io::stderr();
    let _unread = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
