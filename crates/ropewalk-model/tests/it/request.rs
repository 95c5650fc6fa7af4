use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::post};
use bytes::Bytes;
use ropewalk_model::{ChatMessage, ChatPart, Model, ModelRequest};
use ropewalk_types::{
    Function, FunctionCall, FunctionWord, ImageDetail, NamedFunction, NamedToolChoice, ReasoningEffort,
    ResponseFormat, ToolCall, ToolChoice, ToolChoiceMode, TypedResponseFormat,
};
use serde_json::{Value, json};

use crate::support::{events, in_process};

/// What the upstream is sent for this request.
async fn sent(request: &ModelRequest) -> Value {
    let seen = Arc::new(Mutex::new(Value::Null));
    let slot = Arc::clone(&seen);
    let upstream = Router::new().route(
        "/v1/chat/completions",
        post(async move |Json(body): Json<Value>| {
            *slot.lock().unwrap() = body;
            events([Bytes::new()])
        }),
    );
    drop(in_process(upstream).stream(request).await.unwrap());
    seen.lock().unwrap().take()
}

fn stock_price() -> Function {
    Function::new("get_stock_price").description("The price of one share.").parameters(
        json!({"type": "object", "properties": {"ticker": {"type": "string"}}, "required": ["ticker"]}),
    )
}

#[tokio::test]
async fn a_whole_conversation_with_tools_goes_out() {
    let call = ToolCall {
        id: "call_1".into(),
        kind: FunctionWord::Word,
        function: FunctionCall { name: "get_stock_price".into(), arguments: r#"{"ticker":"AAPL"}"#.into() },
    };
    let picture =
        ChatPart::ImageUrl { url: "https://example.com/a.png".into(), detail: Some(ImageDetail::Low) };
    let mut request = ModelRequest::new("gpt-4o")
        .message(ChatMessage::System("You quote stock prices.".into()))
        .message(ChatMessage::user("What is AAPL at?"))
        .message(ChatMessage::Assistant { text: None, tool_calls: vec![call] })
        .message(ChatMessage::Tool { call: "call_1".into(), output: r#"{"price":212.4}"#.into() })
        .message(ChatMessage::assistant("212.40."))
        .message(ChatMessage::Assistant { text: None, tool_calls: vec![] })
        .message(ChatMessage::User(vec![ChatPart::Text("And this?".into()), picture]))
        .tool(stock_price())
        .tool(Function::new("now"));
    request.tool_choice = Some(ToolChoice::Mode(ToolChoiceMode::Required));
    request.parallel_tool_calls = Some(false);
    request.temperature = Some(0.2);
    request.top_p = Some(0.9);
    request.max_completion_tokens = Some(256);
    request.response_format = Some(ResponseFormat::Typed(TypedResponseFormat::JsonObject));
    request.reasoning_effort = Some(ReasoningEffort("low".into()));
    let sent = sent(&request).await;
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!(sent) });
}

#[tokio::test]
async fn what_the_api_takes_for_granted_is_not_sent() {
    let mut request = ModelRequest::new("o3").message(ChatMessage::user("hi"));
    request.temperature = Some(1.0);
    request.top_p = Some(1.0);
    request.response_format = Some(ResponseFormat::auto());
    request.tool_choice = Some(ToolChoice::Mode(ToolChoiceMode::Required));
    request.parallel_tool_calls = Some(false);
    let bare = json!({
        "model": "o3",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(sent(&request).await, bare, "no choice of tools without tools");

    request.tools = vec![Function::new("now")];
    request.tool_choice = Some(ToolChoice::default());
    request.parallel_tool_calls = Some(true);
    let mut with_tool = bare;
    with_tool["tools"] = json!([{"type": "function", "function": {"name": "now"}}]);
    assert_eq!(sent(&request).await, with_tool);
}

#[tokio::test]
async fn a_named_tool_of_the_server_is_asked_for_as_a_function() {
    let mut request = ModelRequest::new("any").tool(stock_price());
    for (kind, function) in [("function", Some("get_stock_price")), ("file_search", None)] {
        let function = function.map(|name| NamedFunction { name: name.into() });
        let name = function.as_ref().map_or(kind, |function| &function.name).to_owned();
        request.tool_choice = Some(ToolChoice::Named(NamedToolChoice { kind: kind.into(), function }));
        assert_eq!(
            sent(&request).await["tool_choice"],
            json!({"type": "function", "function": {"name": name}})
        );
    }
}
