use futures_util::{FutureExt, StreamExt};
use ropewalk_model::{
    ChatMessage, FinishReason, Model, ModelError, ModelErrorKind, ModelEvent, ModelRequest, ScriptedModel,
    Turn,
};
use ropewalk_types::{Function, FunctionCall, FunctionWord, ToolCall, ToolChoice, ToolChoiceMode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::{line, transcript};

const LABEL: &str = "[scripted model, not a language model] ";

fn stock_price() -> Function {
    Function::new("get_stock_price").description("Looks up what one share costs.").parameters(json!({
        "type": "object",
        "properties": {"ticker": {"type": "string", "description": "The ticker of the share, such as AAPL."}},
        "required": ["ticker"],
    }))
}

fn asked(text: &str) -> ModelRequest {
    ModelRequest::new("gpt-4o")
        .message(ChatMessage::System("You quote prices.".into()))
        .message(ChatMessage::user(text))
}

/// The text and the calls of a whole answer.
async fn answer(request: &ModelRequest) -> (String, Vec<ToolCall>) {
    let mut text = String::new();
    let mut calls = Vec::<ToolCall>::new();
    let mut events = ScriptedModel::new().stream(request).await.unwrap();
    while let Some(event) = events.next().await {
        match event.unwrap() {
            ModelEvent::Text(more) => text.push_str(&more),
            ModelEvent::ToolCall(part) => {
                if let (Some(id), Some(name)) = (part.id, part.name) {
                    let function = FunctionCall { name, arguments: String::new() };
                    calls.push(ToolCall { id: id.into(), kind: FunctionWord::Word, function });
                }
                calls[part.index as usize].function.arguments.push_str(&part.arguments);
            }
            _ => {}
        }
    }
    (text, calls)
}

/// What it says once its calls have these outputs.
async fn answer_to(text: &str, outputs: &[Value]) -> String {
    let request = asked(text).tool(stock_price());
    let (_, calls) = answer(&request).await;
    assert_eq!(calls.len(), outputs.len());
    let outputs = calls.iter().zip(outputs).map(|(call, output)| {
        let output = output.as_str().map_or_else(|| output.to_string(), str::to_owned);
        ChatMessage::Tool { call: call.id.clone(), output }
    });
    let outputs: Vec<_> = outputs.collect();
    let request = request.message(ChatMessage::Assistant { text: None, tool_calls: calls });
    let (text, calls) = answer(&outputs.into_iter().fold(request, ModelRequest::message)).await;
    assert_eq!(calls, []);
    text.strip_prefix(LABEL).unwrap().to_owned()
}

#[tokio::test]
async fn a_question_for_a_price_is_a_call_and_then_a_sum() {
    let question = "What is AAPL's price, and what would 1000 shares be worth?";
    let request = asked(question).tool(stock_price());
    let call = transcript(&ScriptedModel::new(), &request).await;
    insta::assert_snapshot!(call);
    let text = answer_to(question, &[json!({"price": 212.4, "currency": "USD"})]).await;
    assert_eq!(text, "AAPL trades at 212.40 USD. 1,000 shares would be worth 212,400.00 USD.");
}

#[tokio::test]
async fn several_tickers_are_parallel_calls_or_one_after_the_other() {
    let text = "Compare AAPL with MSFT: 2 shares of the first, 10 shares of the second.";
    let prices = [json!({"price": 100, "currency": "USD"}), json!({"price": "431.15"})];
    assert_eq!(
        answer_to(text, &prices).await,
        "AAPL trades at 100.00 USD. 2 shares would be worth 200.00 USD. \
         MSFT trades at 431.15. 10 shares would be worth 4,311.50."
    );

    let mut request = asked(text).tool(stock_price());
    request.parallel_tool_calls = Some(false);
    let mut made = Vec::new();
    while let (_, calls) = answer(&request).await
        && let [call] = calls.as_slice()
    {
        made.push(call.function.arguments.clone());
        let output = ChatMessage::Tool { call: call.id.clone(), output: r#"{"price":1}"#.into() };
        request = request.message(ChatMessage::Assistant { text: None, tool_calls: calls }).message(output);
    }
    assert_eq!(made, [r#"{"ticker":"AAPL"}"#, r#"{"ticker":"MSFT"}"#]);
}

#[tokio::test]
async fn outputs_that_are_no_price_are_reported() {
    for (output, text) in [
        (json!({"error": "no such ticker"}), "get_stock_price(AAPL) failed: no such ticker"),
        (json!({"error": {"message": "down"}}), "get_stock_price(AAPL) failed: down"),
        (json!("Error: the market is closed"), "get_stock_price(AAPL) failed: Error: the market is closed"),
        (json!({"open": true}), r#"get_stock_price(AAPL) gave: {"open":true}"#),
        (json!("no JSON"), "get_stock_price(AAPL) gave: no JSON"),
        (json!({"price": 0.0, "error": null}), "AAPL trades at 0.00."),
    ] {
        assert_eq!(answer_to("AAPL?", &[output]).await, text);
    }
}

#[tokio::test]
async fn without_a_call_to_make_it_repeats_what_was_said() {
    let said = answer(&asked("Hello there").tool(stock_price())).await;
    assert_eq!(said, (format!("{LABEL}You said: Hello there"), vec![]));
    let mut none = asked("AAPL?").tool(stock_price());
    none.tool_choice = Some(ToolChoice::Mode(ToolChoiceMode::None));
    assert_eq!(answer(&none).await.1, []);
    assert_eq!(answer(&ModelRequest::new("x")).await.0, format!("{LABEL}There is nothing to answer yet."));
    let long = answer(&asked(&"é".repeat(5_000))).await.0;
    assert!(long.chars().count() < 1_100 && long.ends_with('…'));
}

#[tokio::test]
async fn a_call_that_is_required_is_made_once() {
    let mut request = asked("Hello").tool(stock_price());
    request.tool_choice = Some(ToolChoice::Mode(ToolChoiceMode::Required));
    let (_, calls) = answer(&request).await;
    assert_eq!(calls[0].function.arguments, r#"{"ticker":"Hello"}"#);
    let output = ChatMessage::Tool { call: calls[0].id.clone(), output: "{}".into() };
    let request = request.message(ChatMessage::Assistant { text: None, tool_calls: calls }).message(output);
    assert_eq!(answer(&request).await.1, []);
}

#[tokio::test]
async fn a_cap_on_tokens_counts_words() {
    let mut request = asked("Hello there");
    request.max_completion_tokens = Some(2);
    let told = transcript(&ScriptedModel::new(), &request).await;
    assert_eq!(told, "text \"[scripted \"\ntext \"model, \"\nusage 5 + 2 = 7\nfinish Length\n");
}

#[tokio::test]
async fn any_model_is_there_but_one_is_listed() {
    let model = ScriptedModel::new();
    assert_eq!(model.models().await.unwrap()[0].id.as_str(), ScriptedModel::NAME);
    assert_eq!(model.model(&"gpt-4o".into()).await.unwrap().unwrap().id.as_str(), "gpt-4o");
    assert_eq!(model.requests(), []);
}

#[tokio::test]
async fn a_test_double_plays_its_turns_and_records_its_requests() {
    let limited = || ModelError::new(ModelErrorKind::RateLimited);
    let text = |text: &str| ModelEvent::Text(text.to_owned());
    let double = ScriptedModel::with_turns([
        Turn::calls([("f", "{}"), ("g", "[]")]),
        Turn::text("It is done."),
        Turn::new().fail(limited()),
        Turn::new().event(text("a")).fail(limited()).event(text("never")),
        Turn::new().event(text("a")),
        Turn::new().event(ModelEvent::Finish(FinishReason::Length)).event(text("never")),
    ]);
    let mut told = String::new();
    for turn in 0..7 {
        told.push_str(&transcript(&double.clone(), &asked(&turn.to_string())).await);
        told.push('\n');
    }
    insta::assert_snapshot!(told);
    assert_eq!(double.requests(), (0..7).map(|turn| asked(&turn.to_string())).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_turn_waits_where_it_is_told_to() {
    let (open, gate) = oneshot::channel::<()>();
    let gate = gate.map(drop);
    let turn = Turn::new()
        .event(ModelEvent::Text("a".into()))
        .wait(gate)
        .event(ModelEvent::Refusal("b".into()))
        .stall();
    let mut events = ScriptedModel::with_turns([turn]).stream(&asked("hi")).await.unwrap();
    assert_eq!(line(events.next().await.unwrap()), "text \"a\"\n");
    assert!(events.next().now_or_never().is_none());
    open.send(()).unwrap();
    assert_eq!(line(events.next().await.unwrap()), "refusal \"b\"\n");
    assert!(events.next().now_or_never().is_none());
}
