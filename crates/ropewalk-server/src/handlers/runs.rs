use ropewalk_runs::{NewRun, RunError, Started};
use ropewalk_store::{Kind, StoreError};
use ropewalk_types::{
    Assistant, AssistantId, Endpoint, Message, Run, RunOptions, RunStatus, ThreadId, endpoint,
};

use super::{CHANGE_TRIES, attachments, find, threads};
use crate::{
    api_error::ApiError, call::Call, list, reply::Reply, runtime::Runtime, streams::StreamSlot, validate,
};

pub(crate) async fn list(call: Call<endpoint::ListRuns>) -> Result<Reply<endpoint::ListRuns>, ApiError> {
    let thread = call.path.0.as_str();
    find(&call.scope, Kind::Thread, thread, None).await?;
    list::page(&call.scope, &list::request(Kind::Run, Some(thread), call.query)).await
}

pub(crate) async fn create(call: Call<endpoint::CreateRun>) -> Result<Reply<endpoint::CreateRun>, ApiError> {
    validate::create_run(&call.body)?;
    let slot = call.stream_slot(call.body.stream.unwrap_or_default())?;
    let busy = call.busy();
    let (thread,) = call.path;
    let request = call.body;
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
    let messages: Vec<Message> =
        messages.map(|message| Message::new(call.runtime.mint(), thread.clone(), now, message)).collect();
    for _ in 0..CHANGE_TRIES {
        let mut new = NewRun::new(run.clone());
        new.also = attachments::on_thread(&call.runtime, &call.scope, &thread, &messages).await?;
        (new.messages, new.stream, new.include) =
            (messages.clone(), slot.is_some(), call.query.include.clone());
        new.busy = busy;
        new.traceparent = call.preferences.traceparent;
        (new.key, new.key_budget) = (call.caller.key_name(), call.caller.budget);
        match call.runtime.engine().create(&call.scope, new).await {
            Ok(run) => {
                call.runtime.library().wake();
                return Ok(started(&call.runtime, run, slot));
            }
            Err(RunError::Store(error)) if error.is_overtaken() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}

pub(crate) async fn create_with_thread(
    call: Call<endpoint::CreateThreadAndRun>,
) -> Result<Reply<endpoint::CreateThreadAndRun>, ApiError> {
    validate::create_thread_and_run(&call.body)?;
    let slot = call.stream_slot(call.body.stream.unwrap_or_default())?;
    let request = call.body;
    let options = request.options();
    let assistant =
        find(&call.scope, Kind::Assistant, request.assistant_id.as_str(), None).await?.decode()?;
    let mut new_thread = request.thread.unwrap_or_default();
    new_thread.tool_resources = new_thread.tool_resources.or(request.tool_resources);
    let (mut thread, messages) = threads::build(&call.runtime, new_thread);
    let also = attachments::of_new_thread(&call.runtime, &call.scope, &mut thread, &messages).await?;
    let run = new_run(&call.runtime, assistant, request.assistant_id, thread.id.clone(), options);
    let mut new = NewRun::new(run);
    (new.thread, new.messages, new.stream, new.also) = (Some(thread), messages, slot.is_some(), also);
    (new.key, new.key_budget) = (call.caller.key_name(), call.caller.budget);
    new.traceparent = call.preferences.traceparent;
    let started_run = call.runtime.engine().create(&call.scope, new).await?;
    call.runtime.library().wake();
    Ok(started(&call.runtime, started_run, slot))
}

pub(crate) async fn get(call: Call<endpoint::GetRun>) -> Result<Reply<endpoint::GetRun>, ApiError> {
    let (thread, id) = call.path;
    let (document, waited) = match call.preferences.wait {
        Some(wait) => call.runtime.engine().changed(&call.scope, &thread, &id, wait).await?,
        None => (find(&call.scope, Kind::Run, id.as_str(), Some(thread.as_str())).await?, false),
    };
    let run: Run = document.decode()?;
    let waits = run.status == RunStatus::RequiresAction;
    let reply = Reply::stored(document).poll_again(!waits && !run.status.is_terminal());
    Ok(reply.waited(call.preferences.wait.filter(|_| waited)))
}

pub(crate) async fn modify(call: Call<endpoint::ModifyRun>) -> Result<Reply<endpoint::ModifyRun>, ApiError> {
    let (thread, id) = call.path;
    let run = call.runtime.engine().modify(&call.scope, &thread, &id, call.body.metadata).await?;
    Ok(Reply::json(&run))
}

pub(crate) async fn cancel(call: Call<endpoint::CancelRun>) -> Result<Reply<endpoint::CancelRun>, ApiError> {
    let (thread, id) = call.path;
    let run = call.runtime.engine().cancel(&call.scope, &thread, &id).await?;
    Ok(Reply::json(&run).poll_again(true))
}

pub(crate) async fn submit_tool_outputs(
    call: Call<endpoint::SubmitToolOutputs>,
) -> Result<Reply<endpoint::SubmitToolOutputs>, ApiError> {
    let slot = call.stream_slot(call.body.stream.unwrap_or_default())?;
    let (thread, id) = call.path;
    let outputs = &call.body.tool_outputs;
    let submitted = call.runtime.engine().submit(&call.scope, &thread, &id, outputs, slot.is_some()).await?;
    Ok(started(&call.runtime, submitted, slot))
}

pub(crate) async fn events(
    call: Call<endpoint::StreamRunEvents>,
) -> Result<Reply<endpoint::StreamRunEvents>, ApiError> {
    let slot = call.open_stream()?;
    let after = call.preferences.last_event.or(call.query.starting_after).unwrap_or_default();
    let (thread, id) = &call.path;
    let events = call.runtime.engine().events(&call.scope, thread, id, after).await?;
    Ok(Reply::events(events, slot, call.runtime.options().keep_alive))
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
    let expiry = options.expires_after.or(assistant.run_expires_after);
    let usual = || i64::try_from(runtime.options().run_expiry.as_secs()).unwrap_or(i64::MAX);
    let lifetime = expiry.map_or_else(usual, |expiry| expiry.seconds);
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
    // As it is now: an assistant that is changed later does not change its runs.
    run.tool_resources = assistant.tool_resources.filter(|resources| {
        let computes = resources.code_interpreter.as_ref();
        resources.file_search.is_some() || computes.is_some_and(|computes| !computes.file_ids.is_empty())
    });
    run.reasoning_effort = options.reasoning_effort.or(assistant.reasoning_effort);
    run.budget = options.budget;
    run
}

fn started<E: Endpoint<Response = Run>>(
    runtime: &Runtime,
    started: Started,
    slot: Option<StreamSlot>,
) -> Reply<E> {
    match started.stream.zip(slot) {
        Some((stream, slot)) => Reply::events(stream, slot, runtime.options().keep_alive),
        None => Reply::json(&started.run).poll_again(true),
    }
}
