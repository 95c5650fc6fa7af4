//! cargo run -p ropewalk-model --example complete -- "What is AAPL at, and what are 1000 shares worth?"
//!
//! Asks the scripted model, or the server at `OPENAI_BASE_URL` (with `OPENAI_API_KEY` and `OPENAI_MODEL`).
#![expect(clippy::print_stdout, reason = "the answer is what the example is for")]

use std::{
    env,
    error::Error,
    io::{Write, stdout},
};

use futures_util::StreamExt;
use ropewalk_model::{ChatCompletions, ChatMessage, Model, ModelEvent, ModelRequest, ScriptedModel};
use ropewalk_types::{Function, FunctionCall, FunctionWord, ToolCall};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let model: Box<dyn Model> = match env::var("OPENAI_BASE_URL") {
        Ok(url) => Box::new(ChatCompletions::new(url, env::var("OPENAI_API_KEY").ok().map(Into::into))?),
        Err(_) => Box::new(ScriptedModel::new()),
    };
    let name = env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o".to_owned());
    let question =
        env::args().nth(1).unwrap_or_else(|| "What is AAPL at, and what are 1000 shares worth?".to_owned());
    let ticker =
        json!({"type": "object", "properties": {"ticker": {"type": "string"}}, "required": ["ticker"]});
    let price = Function::new("get_stock_price").description("The price of one share.").parameters(ticker);
    let mut request = ModelRequest::new(name).message(ChatMessage::user(question)).tool(price);

    for _turn in 0..8 {
        let (mut text, mut tool_calls) = (String::new(), Vec::<ToolCall>::new());
        let mut events = model.stream(&request).await?;
        while let Some(event) = events.next().await {
            match event? {
                ModelEvent::Text(more) => {
                    print!("{more}");
                    stdout().flush()?;
                    text.push_str(&more);
                }
                ModelEvent::ToolCall(part) => {
                    let index = part.index as usize;
                    if index == tool_calls.len() {
                        let function =
                            FunctionCall { name: part.name.unwrap_or_default(), arguments: String::new() };
                        let id = part.id.unwrap_or_else(|| format!("call_{index}")).into();
                        tool_calls.push(ToolCall { id, kind: FunctionWord::Word, function });
                    }
                    tool_calls[index].function.arguments.push_str(&part.arguments);
                }
                ModelEvent::Finish(reason) => println!("\n[{reason:?}]"),
                _ => {}
            }
        }
        if tool_calls.is_empty() {
            break;
        }
        let outputs: Vec<ChatMessage> = tool_calls.iter().map(answer).collect();
        request
            .messages
            .push(ChatMessage::Assistant { text: Some(text).filter(|text| !text.is_empty()), tool_calls });
        request.messages.extend(outputs);
    }
    Ok(())
}

fn answer(call: &ToolCall) -> ChatMessage {
    println!("[{}({})]", call.function.name, call.function.arguments);
    let ticker = call.function.arguments.parse::<Value>().unwrap_or_default()["ticker"].take();
    let prices = json!({"AAPL": 212.40, "GOOGL": 168.90, "MSFT": 431.15});
    let output = match ticker.as_str().and_then(|ticker| prices.get(ticker)) {
        Some(price) => json!({"price": price, "currency": "USD"}),
        None => json!({"error": format!("no price of {ticker}")}),
    };
    ChatMessage::Tool { call: call.id.clone(), output: output.to_string() }
}
