use std::collections::HashMap;

use async_openai::{
    traits::RequestOptionsBuilder,
    types::assistants::{
        AssistantTools, AssistantToolsFileSearch, CreateAssistantRequestArgs, CreateMessageRequestArgs,
        CreateThreadRequest, MessageStatus, ModifyAssistantRequestArgs, ModifyMessageRequest,
        ModifyThreadRequest,
    },
};
use ropewalk_conformance::{Desk, says};

use crate::helpers::{assistant, quote, refused, text, thread};

#[tokio::test]
async fn an_assistant_is_kept_changed_and_deleted() {
    let desk = Desk::new();
    let assistants = desk.client.assistants();
    let tools = vec![
        quote(),
        AssistantTools::CodeInterpreter,
        AssistantTools::FileSearch(AssistantToolsFileSearch::default()),
    ];
    let mut request = CreateAssistantRequestArgs::default();
    request.model("gpt-4o").name("Clerk").instructions("Be brief.").tools(tools.clone()).temperature(0.5);
    let made = assistants.create(request.build().unwrap()).await.unwrap();
    assert_eq!(made.tools, tools);
    assert_eq!(assistants.retrieve(&made.id).await.unwrap(), made);
    let request = ModifyAssistantRequestArgs::default().name("Chief").build().unwrap();
    let changed = assistants.update(&made.id, request).await.unwrap();
    assert_eq!((changed.name.as_deref(), changed.instructions), (Some("Chief"), made.instructions));
    let listed = assistants.list().await.unwrap();
    assert_eq!((listed.data.len(), listed.first_id), (1, Some(made.id.clone())));
    assert!(assistants.delete(&made.id).await.unwrap().deleted);
    let (status, error) = refused(assistants.retrieve(&made.id).await);
    assert_eq!((status, error.message), (404, format!("No assistant found with id '{}'.", made.id)));
    assert_eq!(assistants.list().await.unwrap().data, []);
}

#[tokio::test]
async fn a_thread_is_kept_changed_and_deleted() {
    let desk = Desk::new();
    let threads = desk.client.threads();
    let made = threads.create(CreateThreadRequest::default()).await.unwrap();
    let metadata = Some(HashMap::from([("a".to_owned(), "1".into())]));
    let request = ModifyThreadRequest { metadata: metadata.clone(), tool_resources: None };
    assert_eq!(threads.update(&made.id, request).await.unwrap().metadata, metadata);
    assert_eq!(threads.retrieve(&made.id).await.unwrap().metadata, metadata);
    assert!(threads.delete(&made.id).await.unwrap().deleted);
    assert_eq!(refused(threads.retrieve(&made.id).await).0, 404);
}

#[tokio::test]
async fn a_message_is_kept_changed_and_deleted() {
    let desk = Desk::new();
    let thread_id = thread(&desk, "Begin.").await;
    let threads = desk.client.threads();
    let messages = threads.messages(&thread_id);
    let request = CreateMessageRequestArgs::default().content("Ø🪢").build().unwrap();
    let made = messages.create(request).await.unwrap();
    assert_eq!((text(&made), made.status.clone()), ("Ø🪢", Some(MessageStatus::Completed)));
    let metadata = Some(HashMap::from([("n".to_owned(), "2".into())]));
    let changed =
        messages.update(&made.id, ModifyMessageRequest { metadata: metadata.clone() }).await.unwrap();
    assert_eq!(changed.metadata, metadata);
    assert_eq!(messages.retrieve(&made.id).await.unwrap(), changed);
    assert!(messages.delete(&made.id).await.unwrap().deleted);
    assert_eq!(messages.list().await.unwrap().data.len(), 1);
}

#[tokio::test]
async fn pages_are_asked_for_by_limit_and_cursor() {
    let desk = Desk::new();
    let thread_id = thread(&desk, "0").await;
    for number in 1..5 {
        let request = CreateMessageRequestArgs::default().content(number.to_string()).build().unwrap();
        desk.client.threads().messages(&thread_id).create(request).await.unwrap();
    }
    let mut after = String::new();
    let mut seen = Vec::new();
    loop {
        let query = [("limit", "2"), ("order", "asc"), ("after", &after)];
        let query = if after.is_empty() { &query[..2] } else { &query[..] };
        let threads = desk.client.threads();
        let page = threads.messages(&thread_id).query(query).unwrap().list().await.unwrap();
        seen.extend(page.data.iter().map(|message| text(message).to_owned()));
        match page.last_id.filter(|_| page.has_more) {
            Some(last) => after = last,
            None => break,
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn models_are_those_of_the_upstream() {
    let desk = Desk::new();
    let model = desk.model(&[says(&["Hi."])]).await;
    let listed = desk.client.models().list().await.unwrap();
    assert!(listed.data.iter().any(|one| one.id == model));
    assert_eq!(desk.client.models().retrieve(&model).await.unwrap().id, model);
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let desk = Desk::new();
    let request = CreateAssistantRequestArgs::default().model("m").name("x".repeat(257)).build().unwrap();
    let (status, error) = refused(desk.client.assistants().create(request).await);
    assert_eq!((status, error.param.as_deref()), (400, Some("name")));
    assert_eq!(error.code.as_deref(), Some("string_above_max_length"));
    assert_eq!(error.r#type.as_deref(), Some("invalid_request_error"));
    let stranger = desk.client_with("sk-wrong-key-0123456789");
    let (status, error) = refused(stranger.assistants().list().await);
    assert_eq!((status, error.code.as_deref()), (401, Some("invalid_api_key")));
    let clerk = assistant(&desk, "m", vec![]).await;
    assert_eq!(refused(stranger.assistants().retrieve(&clerk).await).0, 401);
}
