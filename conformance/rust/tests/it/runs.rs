use async_openai::types::assistants::{
    AssistantEventStream, AssistantStreamEvent as Event, CreateMessageRequestArgs, CreateRunRequestArgs,
    CreateThreadAndRunRequestArgs, CreateThreadRequestArgs, LastErrorCode, MessageDeltaContent,
    ModifyRunRequest, RunObject, RunStatus, RunStepDetailsToolCalls, StepDetails,
    SubmitToolOutputsRunRequest, ToolsOutputs,
};
use futures_util::StreamExt;
use ropewalk_conformance::{Desk, calls, hangs, says};
use serde_json::json;

use crate::helpers::{assistant, quote, refused, settled, text, thread};

const CALLS: [(&str, &str, &str); 2] =
    [("call_a", "quote_share", r#"{"symbol":"AAPL"}"#), ("call_b", "quote_share", r#"{"symbol":"MSFT"}"#)];

fn outputs() -> SubmitToolOutputsRunRequest {
    let output =
        |id: &str, text: &str| ToolsOutputs { tool_call_id: Some(id.into()), output: Some(text.into()) };
    SubmitToolOutputsRunRequest {
        tool_outputs: vec![output("call_a", "231.5"), output("call_b", "418")],
        stream: None,
    }
}

async fn started(desk: &Desk, turns: &[serde_json::Value]) -> RunObject {
    let clerk = assistant(desk, &desk.model(turns).await, vec![quote()]).await;
    let request = CreateRunRequestArgs::default().assistant_id(clerk).build().unwrap();
    desk.client.threads().runs(&thread(desk, "Begin.").await).create(request).await.unwrap()
}

/// Reads a stream to its end: its text, and the run that it told of last.
async fn read(mut stream: AssistantEventStream) -> (String, RunObject) {
    let (mut said, mut last) = (String::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            Event::ThreadMessageDelta(delta) => {
                for part in delta.delta.content.unwrap_or_default() {
                    let MessageDeltaContent::Text(part) = part else { panic!("not a text") };
                    said += &part.text.and_then(|text| text.value).unwrap_or_default();
                }
            }
            Event::ThreadRunCreated(run)
            | Event::ThreadRunQueued(run)
            | Event::ThreadRunInProgress(run)
            | Event::ThreadRunRequiresAction(run)
            | Event::ThreadRunCompleted(run)
            | Event::ThreadRunCancelled(run) => last = Some(run),
            Event::ErrorEvent(error) => panic!("{error}"),
            _ => {}
        }
    }
    (said, last.unwrap())
}

#[tokio::test]
async fn a_run_goes_over_its_tool_calls_to_the_answer() {
    let desk = Desk::new();
    let run = settled(&desk, started(&desk, &[calls(&CALLS), says(&["Both", " known."])]).await).await;
    assert_eq!(run.status, RunStatus::RequiresAction);
    let asked = &run.required_action.as_ref().unwrap().submit_tool_outputs.tool_calls;
    let asked: Vec<_> =
        asked.iter().map(|call| (&*call.id, &*call.function.name, &*call.function.arguments)).collect();
    assert_eq!(asked, CALLS);

    let threads = desk.client.threads();
    let runs = threads.runs(&run.thread_id);
    let queued = runs.submit_tool_outputs(&run.id, outputs()).await.unwrap();
    assert_eq!(queued.status, RunStatus::Queued);
    let done = settled(&desk, queued).await;
    assert_eq!((&done.status, done.usage.as_ref().unwrap().total_tokens), (&RunStatus::Completed, 30));

    let listed = runs.steps(&done.id).list().await.unwrap().data;
    let StepDetails::ToolCalls(asked) = &listed[1].step_details else { panic!("{listed:?}") };
    let RunStepDetailsToolCalls::Function(first) = &asked.tool_calls[0] else { panic!("{asked:?}") };
    assert_eq!(first.function.output.as_deref(), Some("231.5"));
    let StepDetails::MessageCreation(told) = &listed[0].step_details else { panic!("{listed:?}") };
    let message =
        threads.messages(&done.thread_id).retrieve(&told.message_creation.message_id).await.unwrap();
    assert_eq!((text(&message), message.run_id.as_deref()), ("Both known.", Some(&*done.id)));
    assert_eq!(runs.steps(&done.id).retrieve(&listed[0].id).await.unwrap(), listed[0]);

    let metadata = Some([("seen".to_owned(), json!("yes"))].into());
    assert_eq!(
        runs.update(&done.id, ModifyRunRequest { metadata: metadata.clone() }).await.unwrap().metadata,
        metadata
    );
    assert_eq!(runs.list().await.unwrap().data.len(), 1);
}

#[tokio::test]
async fn a_run_and_its_outputs_stream() {
    let desk = Desk::new();
    let model = desk.model(&[calls(&CALLS), says(&["Both", " known."])]).await;
    let clerk = assistant(&desk, &model, vec![quote()]).await;
    let thread_id = thread(&desk, "Begin.").await;
    let threads = desk.client.threads();
    let runs = threads.runs(&thread_id);
    let request = CreateRunRequestArgs::default().assistant_id(clerk).build().unwrap();
    let (said, run) = read(runs.create_stream(request).await.unwrap()).await;
    assert_eq!((&*said, &run.status), ("", &RunStatus::RequiresAction));
    let stream = runs.submit_tool_outputs_stream(&run.id, outputs()).await.unwrap();
    let (said, run) = read(stream).await;
    assert_eq!((&*said, &run.status), ("Both known.", &RunStatus::Completed));
    assert_eq!(runs.retrieve(&run.id).await.unwrap(), run);
}

#[tokio::test]
async fn a_thread_and_its_run_begin_together() {
    let desk = Desk::new();
    let clerk = assistant(&desk, &desk.model(&[says(&["One."]), says(&["Two", "."])]).await, vec![]).await;
    let request = || {
        let message = CreateMessageRequestArgs::default().content("Begin.").build().unwrap();
        let thread = CreateThreadRequestArgs::default().messages(vec![message]).build().unwrap();
        CreateThreadAndRunRequestArgs::default().assistant_id(&*clerk).thread(thread).build().unwrap()
    };
    let run = desk.client.threads().create_and_run(request()).await.unwrap();
    assert_eq!(settled(&desk, run).await.status, RunStatus::Completed);
    let stream = desk.client.threads().create_and_run_stream(request()).await.unwrap();
    let (said, run) = read(stream).await;
    assert_eq!((&*said, run.status), ("Two.", RunStatus::Completed));
}

#[tokio::test]
async fn a_run_is_cancelled() {
    let desk = Desk::new();
    let run = started(&desk, &[hangs("Never")]).await;
    let threads = desk.client.threads();
    let runs = threads.runs(&run.thread_id);
    assert_eq!(runs.cancel(&run.id).await.unwrap().status, RunStatus::Cancelling);
    assert_eq!(settled(&desk, run.clone()).await.status, RunStatus::Cancelled);
    let (status, error) = refused(runs.cancel(&run.id).await);
    assert_eq!((status, &*error.message), (400, "Cannot cancel run with status 'cancelled'."));
}

#[tokio::test]
async fn a_run_that_fails_says_why() {
    let desk = Desk::new();
    let refusal = json!({ "status": 400, "body": { "error": { "message": "No.", "type": "x" } } });
    let run = settled(&desk, started(&desk, &[refusal]).await).await;
    assert_eq!((run.status, run.last_error.unwrap().code), (RunStatus::Failed, LastErrorCode::InvalidPrompt));
}

#[tokio::test]
async fn what_a_run_overrides_reaches_the_model() {
    let desk = Desk::new();
    let model = desk.model(&[says(&["Hi."])]).await;
    let clerk = assistant(&desk, "another", vec![]).await;
    let more = CreateMessageRequestArgs::default().content("More.").build().unwrap();
    let mut request = CreateRunRequestArgs::default();
    request.assistant_id(clerk).model(&*model).instructions("Be brief.").additional_instructions("In Dutch.");
    request
        .additional_messages(vec![more])
        .temperature(0.5)
        .max_completion_tokens(300_u32)
        .tools(vec![quote()]);
    let threads = desk.client.threads();
    let thread_id = thread(&desk, "Begin.").await;
    let run = threads.runs(&thread_id).create(request.build().unwrap()).await.unwrap();
    assert_eq!(settled(&desk, run).await.status, RunStatus::Completed);
    let asked = &desk.requests(&model).await[0];
    let shown: Vec<_> =
        asked["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(shown, ["Be brief.\nIn Dutch.", "Begin.", "More."]);
    assert_eq!((&asked["temperature"], &asked["max_completion_tokens"]), (&json!(0.5), &json!(300)));
    assert_eq!(asked["tools"][0]["function"]["name"], "quote_share");
}
