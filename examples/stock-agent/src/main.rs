//! cargo run -p stock-agent -- [--upstream URL [--upstream-key KEY]] [--model NAME] [--base-url URL]
//!
//! Asks an assistant what a stock costs and what 1000 shares would be worth. Its tool call and its answer are streamed
//! to the terminal. It runs the whole runtime inside itself, or talks to a server at `--base-url`.

use std::io::{Write, stdout};

use clap::Parser;
use ropewalk::{
    ChatCompletions, Client, ClientBuilder, CreateAssistant, CreateMessage, CreateRun, CreateThread,
    Embedded, ErrorObject, EventHandler, Registry, Run, RunStatus, RunStep, ScriptedModel, Secret,
    StepDetails, Text, TextDelta, ToolCallRecord, ToolDriver, Value, async_trait, json, tool,
};

const QUESTION: &str = "What is AAPL's price, and what would 1000 shares be worth?";

/// Asks an assistant what a stock costs.
#[derive(Debug, Parser)]
struct Args {
    /// Base URL of a Chat Completions server; without one a script answers, which is not a language model.
    #[arg(long, conflicts_with = "base_url")]
    upstream: Option<String>,
    /// Key for the upstream.
    #[arg(long, requires = "upstream")]
    upstream_key: Option<String>,
    /// The model to ask.
    #[arg(long, default_value = "gpt-4o")]
    model: String,
    /// Talks to this server, such as `http://127.0.0.1:8484/v1`, with the key in `OPENAI_API_KEY`.
    #[arg(long)]
    base_url: Option<String>,
}

/// Looks up what one share costs.
#[tool]
fn get_stock_price(
    /// The ticker of the share, such as AAPL.
    ticker: String,
) -> Result<Value, String> {
    let sample = [("AAPL", 212.40), ("GOOGL", 168.90), ("MSFT", 431.15)];
    match sample.iter().find(|(known, _)| *known == ticker) {
        Some((_, price)) => {
            Ok(json!({ "price": price, "currency": "USD", "source": "sample data, not a market price" }))
        }
        None => Err(format!("the sample data has no price for {ticker}")),
    }
}

/// Prints what happens as it happens.
struct Terminal;

#[async_trait]
impl EventHandler for Terminal {
    async fn on_text_created(&mut self, _: &Text) {
        show("\nassistant > ");
    }

    async fn on_text_delta(&mut self, delta: &TextDelta, _: &Text) {
        show(delta.value.as_deref().unwrap_or_default());
    }

    async fn on_tool_call_done(&mut self, call: &ToolCallRecord) {
        if let ToolCallRecord::Function { function, .. } = call {
            show(&format!("\n[calling {} {}]", function.name, function.arguments));
        }
    }

    async fn on_run_step_done(&mut self, step: &RunStep) {
        let StepDetails::ToolCalls { tool_calls } = &step.step_details else { return };
        for call in tool_calls {
            if let ToolCallRecord::Function { function, .. } = call {
                show(&format!(
                    "\n[{} gave {}]\n",
                    function.name,
                    function.output.as_deref().unwrap_or("nothing")
                ));
            }
        }
    }

    async fn on_run_done(&mut self, run: &Run) {
        let tokens = run.usage.map_or(0, |usage| usage.total_tokens);
        show(&format!("\n\nrun {}, {tokens} tokens\n", run.status));
    }

    async fn on_error(&mut self, error: &ErrorObject) {
        show(&format!("\nerror: {}\n", error.message));
    }
}

/// What cannot be shown, because nobody reads it any more, is no reason to stop.
fn show(text: &str) {
    let mut out = stdout();
    let _unread = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn client(args: &Args) -> anyhow::Result<Client> {
    if let Some(url) = &args.base_url {
        return Ok(ClientBuilder::from_env()?.base_url(url).build()?);
    }
    Ok(Client::embedded(match &args.upstream {
        Some(url) => {
            Embedded::in_memory(ChatCompletions::new(url, args.upstream_key.clone().map(Secret::new))?)
        }
        None => Embedded::in_memory(ScriptedModel::new()),
    }))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let client = client(&args)?;
    let tools = Registry::new().add(get_stock_price)?;
    let assistant = CreateAssistant::new(args.model)
        .name("Market desk")
        .instructions("You are a data analyst. Look prices up with your tools; never guess one.")
        .tools(tools.definitions());
    let assistant = client.assistants().create(assistant).await?;
    let thread = client.threads().create(CreateThread::new()).await?;
    client.messages().create(&thread.id, CreateMessage::user(QUESTION)).await?;

    show(&format!("user > {QUESTION}\n"));
    let (run, tools) = (CreateRun::new(&assistant.id), ToolDriver::new(tools));
    let events = client.runs().stream_with_tools(&thread.id, run, &tools).await?;
    let (_, snapshot) = events.drive(Terminal).await?;
    let run = snapshot.run().ok_or_else(|| anyhow::anyhow!("the stream told of no run"))?;
    anyhow::ensure!(run.status == RunStatus::Completed, "the run did not complete: {:?}", run.last_error);
    Ok(())
}
