use ropewalk_runs::{NewRun, Started};
use ropewalk_store::Kind;
use ropewalk_types::{
    Assistant, AssistantId, Endpoint, Message, Run, RunOptions, RunStatus, ThreadId, endpoint,
};

use super::{find, threads};
use crate::{api_error::ApiError, call::Call, list, reply::Reply, runtime::Runtime, validate};

pub(crate) async fn list(call: Call<endpoint::ListRuns>) -> Result<Reply<endpoint::ListRuns>, ApiError> {
    let thread = call.path.0.as_str();
    find(&call.scope, Kind::Thread, thread, None).await?;
    list::list(&call.scope, Kind::Run, Some(thread), call.query).await
}

pub(crate) async fn create(call: Call<endpoint::CreateRun>) -> Result<Reply<endpoint::CreateRun>, ApiError> {
    let (thread,) = call.path;
    let request = call.body;
    validate::create_run(&request)?;
    let options = request.options();
    let assistant =
        find(&call.scope, Kind::Assistant, request.assistant_id.as_str(), None).await?.decode()?;
    let mut run = new_run(&call.runtime, assistant, request.assistant_id, thread.clone(), options);
    if let Some(more) = request.additional_instructions {
        if !run.instructions.is_empty() {
            run.instructions.push('\n');
        }
        run.instructions.push_str(&more);
    }
    let now = call.runtime.now();
    let messages = request.additional_messages.unwrap_or_default().into_iter();
    let messages =
        messages.map(|message| Message::new(call.runtime.mint(), thread.clone(), now, message)).collect();
    let new = NewRun { run, thread: None, messages, stream: request.stream.unwrap_or_default() };
    call.runtime.engine().create(&call.scope, new).await.map(started).map_err(ApiError::from)
}

pub(crate) async fn create_with_thread(
    call: Call<endpoint::CreateThreadAndRun>,
) -> Result<Reply<endpoint::CreateThreadAndRun>, ApiError> {
    let request = call.body;
    validate::create_thread_and_run(&request)?;
    let options = request.options();
    let assistant =
        find(&call.scope, Kind::Assistant, request.assistant_id.as_str(), None).await?.decode()?;
    let mut new_thread = request.thread.unwrap_or_default();
    new_thread.tool_resources = new_thread.tool_resources.or(request.tool_resources);
    let (thread, messages) = threads::build(&call.runtime, new_thread);
    let run = new_run(&call.runtime, assistant, request.assistant_id, thread.id.clone(), options);
    let new = NewRun { run, thread: Some(thread), messages, stream: request.stream.unwrap_or_default() };
    call.runtime.engine().create(&call.scope, new).await.map(started).map_err(ApiError::from)
}

pub(crate) async fn get(call: Call<endpoint::GetRun>) -> Result<Reply<endpoint::GetRun>, ApiError> {
    let (thread, id) = call.path;
    let document = find(&call.scope, Kind::Run, id.as_str(), Some(thread.as_str())).await?;
    let run: Run = document.decode()?;
    let waits = run.status == RunStatus::RequiresAction;
    Ok(Reply::stored(document).poll_again(!waits && !run.status.is_terminal()))
}

pub(crate) async fn modify(call: Call<endpoint::ModifyRun>) -> Result<Reply<endpoint::ModifyRun>, ApiError> {
    validate::modify_metadata(&call.body.metadata)?;
    let (thread, id) = call.path;
    let run = call.runtime.engine().modify(&call.scope, &thread, &id, call.body.metadata).await?;
    Ok(Reply::json(&run))
}

pub(crate) async fn cancel(call: Call<endpoint::CancelRun>) -> Result<Reply<endpoint::CancelRun>, ApiError> {
    let (thread, id) = call.path;
    let run = call.runtime.engine().cancel(&call.scope, &thread, &id).await?;
    Ok(Reply::json(&run))
}

pub(crate) async fn submit_tool_outputs(
    call: Call<endpoint::SubmitToolOutputs>,
) -> Result<Reply<endpoint::SubmitToolOutputs>, ApiError> {
    let (thread, id) = call.path;
    let stream = call.body.stream.unwrap_or_default();
    let outputs = &call.body.tool_outputs;
    let submitted = call.runtime.engine().submit(&call.scope, &thread, &id, outputs, stream).await;
    submitted.map(started).map_err(ApiError::from)
}

/// A run of `assistant` with what `options` sets in its place.
fn new_run(
    runtime: &Runtime,
    assistant: Assistant,
    assistant_id: AssistantId,
    thread: ThreadId,
    options: RunOptions,
) -> Run {
    let now = runtime.now();
    let lifetime = i64::try_from(runtime.options().run_expiry.as_secs()).unwrap_or(i64::MAX);
    let model = options.model.unwrap_or(assistant.model);
    let mut run = Run::new(runtime.mint(), thread, assistant_id, model, now, now.plus(lifetime));
    run.instructions = options.instructions.or(assistant.instructions).unwrap_or_default();
    run.tools = options.tools.unwrap_or(assistant.tools);
    run.metadata = Some(options.metadata.unwrap_or_default());
    run.temperature = options.temperature.or(assistant.temperature);
    run.top_p = options.top_p.or(assistant.top_p);
    run.max_prompt_tokens = options.max_prompt_tokens;
    run.max_completion_tokens = options.max_completion_tokens;
    run.truncation_strategy = Some(options.truncation_strategy.unwrap_or_default());
    run.tool_choice = Some(options.tool_choice.unwrap_or_default());
    run.parallel_tool_calls = options.parallel_tool_calls.unwrap_or(true);
    run.response_format = options.response_format.or(assistant.response_format);
    run.reasoning_effort = options.reasoning_effort.or(assistant.reasoning_effort);
    run
}

fn started<E: Endpoint<Response = Run>>(started: Started) -> Reply<E> {
    match started.stream {
        Some(stream) => Reply::events(stream),
        None => Reply::json(&started.run).poll_again(true),
    }
}
