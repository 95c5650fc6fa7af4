use std::time::Duration;

use async_openai::{
    error::{ApiError, OpenAIError},
    types::assistants::{
        AssistantTools, AssistantToolsFunction, CreateAssistantRequestArgs, CreateMessageRequestArgs,
        CreateThreadRequestArgs, FunctionObject, MessageContent, MessageObject, RunObject, RunStatus,
    },
};
use ropewalk_conformance::Desk;
use serde_json::json;

/// A function that looks up what a share trades at.
pub(crate) fn quote() -> AssistantTools {
    let function = FunctionObject {
        name: "quote_share".to_owned(),
        description: Some("Looks up what one share trades at.".to_owned()),
        parameters: Some(json!({
            "type": "object",
            "properties": { "symbol": { "type": "string" } },
            "required": ["symbol"],
        })),
        strict: None,
    };
    AssistantTools::Function(AssistantToolsFunction { function })
}

/// A new assistant's id.
pub(crate) async fn assistant(desk: &Desk, model: &str, tools: Vec<AssistantTools>) -> String {
    let request = CreateAssistantRequestArgs::default().model(model).tools(tools).build().unwrap();
    desk.client.assistants().create(request).await.unwrap().id
}

/// The id of a new thread with this user message.
pub(crate) async fn thread(desk: &Desk, text: &str) -> String {
    let message = CreateMessageRequestArgs::default().content(text).build().unwrap();
    let request = CreateThreadRequestArgs::default().messages(vec![message]).build().unwrap();
    desk.client.threads().create(request).await.unwrap().id
}

/// Polls a run until it waits for outputs or is over.
pub(crate) async fn settled(desk: &Desk, mut run: RunObject) -> RunObject {
    while matches!(run.status, RunStatus::Queued | RunStatus::InProgress | RunStatus::Cancelling) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        run = desk.client.threads().runs(&run.thread_id).retrieve(&run.id).await.unwrap();
    }
    run
}

/// The words of a message.
pub(crate) fn text(message: &MessageObject) -> &str {
    match &message.content[..] {
        [MessageContent::Text(part)] => &part.text.value,
        other => panic!("not one text: {other:?}"),
    }
}

/// The status and the error that a call meets.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, OpenAIError>) -> (u16, ApiError) {
    match result.unwrap_err() {
        OpenAIError::ApiError(refused) => (refused.status_code.as_u16(), refused.api_error),
        other => panic!("not an error of the API: {other}"),
    }
}
