use std::{sync::Arc, time::Duration};

use ropewalk::{
    Client, CreateAssistant, CreateMessage, CreateRun, CreateThread, Embedded, Event, ListQuery, Order,
    Registry, RunStatus, Runtime, RuntimeOptions, ScriptedModel, StepDetails, ToolCallRecord, ToolDriver,
    Value, json, serve,
    store::{Blobs, Store},
    tool,
};
use tokio::{net::TcpListener, sync::oneshot};

const QUESTION: &str = "What is AAPL's price, and what would 1000 shares be worth?";
const ANSWER: &str = "[scripted model, not a language model] AAPL trades at 212.40 USD. \
                      1,000 shares would be worth 212,400.00 USD.";

/// Looks up what one share costs.
#[tool]
async fn get_stock_price(
    /// The ticker of the share, such as AAPL.
    ticker: String,
) -> Result<Value, String> {
    match ticker.as_str() {
        "AAPL" => Ok(json!({ "price": 212.40, "currency": "USD" })),
        _ => Err(format!("no price for {ticker}")),
    }
}

/// One conversation, first streamed and then polled.
async fn converse(client: &Client) {
    let registry = Registry::new().add(get_stock_price).unwrap();
    let assistant = CreateAssistant::new("gpt-4o").name("Market desk").tools(registry.definitions());
    let assistant = client.assistants().create(assistant).await.unwrap();
    let tools = ToolDriver::new(registry).poll_every(Duration::from_millis(1));
    let run = || CreateRun::new(&assistant.id);

    let thread = client.threads().create(CreateThread::new()).await.unwrap();
    client.messages().create(&thread.id, CreateMessage::user(QUESTION)).await.unwrap();
    let events = client.runs().stream_with_tools(&thread.id, run(), &tools).await.unwrap();
    let events = events.collect().await.unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::RunRequiresAction(_))));
    assert!(matches!(events[..], [.., Event::RunCompleted(_), Event::Done]), "{events:?}");
    assert_eq!(events.iter().filter(|event| **event == Event::Done).count(), 1);
    assert_eq!(client.messages().last_answer(&thread.id).await.unwrap().as_deref(), Some(ANSWER));

    client.messages().create(&thread.id, CreateMessage::user("And MSFT?")).await.unwrap();
    let polled = client.runs().create_with_tools(&thread.id, run(), &tools).await.unwrap();
    assert_eq!(polled.status, RunStatus::Completed);
    assert!(polled.usage.is_some_and(|usage| usage.total_tokens > 0));

    let oldest_first = ListQuery::new().order(Order::Asc).limit(1);
    let messages = client.messages().all(&thread.id, oldest_first.clone()).collect().await.unwrap();
    let texts: Vec<String> = messages.iter().map(|message| message.text()).collect();
    assert_eq!(texts[..3], [QUESTION, ANSWER, "And MSFT?"]);
    assert_eq!(texts.len(), 4);

    let steps = client.run_steps().all(&thread.id, &polled.id, oldest_first).collect().await.unwrap();
    let [calls, _message] = &steps[..] else { panic!("{steps:?}") };
    let StepDetails::ToolCalls { tool_calls } = &calls.step_details else { panic!("{calls:?}") };
    let [ToolCallRecord::Function { function, .. }] = &tool_calls[..] else { panic!("{tool_calls:?}") };
    assert_eq!(function.output.as_deref(), Some(r#"{"error":"no price for MSFT"}"#));

    let error = client.threads().get("thread_unknown").await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 404: No thread found with id 'thread_unknown'.");
    assert!(error.request_id().is_some_and(|id| id.starts_with("req_")));
    assert!(client.threads().delete(&thread.id).await.unwrap().deleted);
}

#[tokio::test]
async fn a_conversation_in_process() {
    converse(&Client::embedded(Embedded::in_memory(ScriptedModel::new()))).await;
}

#[tokio::test]
async fn the_same_conversation_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let runtime = Runtime::new(
        Store::in_memory(),
        Blobs::in_memory(),
        Arc::new(ScriptedModel::new()),
        RuntimeOptions::default(),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { stopped.await.unwrap_or_default() };
    let server = tokio::spawn(serve(listener, runtime, stopped, Duration::from_secs(5)));
    let client = Client::builder().base_url(url).build().unwrap();
    // On a task of its own, as servers would use it.
    tokio::spawn(async move { converse(&client).await }).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
