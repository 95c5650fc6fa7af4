use std::collections::BTreeMap;

use ropewalk_model::{
    ChatMessage, FinishReason, ModelError, ModelErrorKind, ModelEvent, ScriptedModel, ToolCallPart, Turn,
};
use ropewalk_runs::{NewRun, RunError};
use ropewalk_store::{Batch, Kind};
use ropewalk_types::{
    LastErrorCode, Message, MessageStatus, NamedToolChoice, RunStatus, RunStepStatus, ToolChoice, ToolOutput,
    Update, Usage,
};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_run_with_two_rounds_of_tools_ends_completed_and_shows_the_model_everything() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([
        Turn::calls([
            ("get_stock_price", r#"{"ticker":"AAPL"}"#),
            ("get_stock_price", r#"{"ticker":"MSFT"}"#),
        ]),
        Turn::calls([("get_stock_price", r#"{"ticker":"GOOGL"}"#)]),
        Turn::text("Three prices."),
    ]);
    let engine = world.engine_over(&model);
    let run = world.start(&engine, false).await.run;
    assert_eq!(run.status, RunStatus::Queued);

    for outputs in [vec![("call_1", "2"), ("call_0", "1")], vec![("call_0", "3")]] {
        world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
        let outputs: Vec<ToolOutput> =
            outputs.into_iter().map(|(id, out)| ToolOutput::new(id, out)).collect();
        let submitted = engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
        assert_eq!(submitted.run.status, RunStatus::Queued);
        assert_eq!(submitted.run.required_action, None);
    }
    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(run.expires_at, None);
    assert_eq!(run.usage.unwrap().completion_tokens, 2);
    let steps = world.steps(&run.id).await;
    assert!(steps.iter().all(|step| step.status == RunStepStatus::Completed && step.usage.is_some()));
    assert_eq!(steps.len(), 3);
    assert_eq!(world.messages().await.last().unwrap().text(), "Three prices.");

    let shown: Vec<&'static str> = model.requests()[2]
        .messages
        .iter()
        .map(|message| match message {
            ChatMessage::System(_) => "system",
            ChatMessage::User(_) => "user",
            ChatMessage::Assistant { .. } => "assistant",
            ChatMessage::Tool { .. } => "tool",
            _ => "other",
        })
        .collect();
    assert_eq!(shown, ["user", "assistant", "tool", "tool", "assistant", "tool"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_that_do_not_fit_change_nothing() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("get_stock_price", "{}")])]);
    let run = world.start(&engine, false).await.run;
    let waiting = world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    for outputs in [vec![], vec![ToolOutput::new("call_9", "x")], vec![ToolOutput::new("call_0", "x"); 2]] {
        let error = engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap_err();
        assert!(matches!(error, RunError::WrongOutputs { .. }), "{error}");
        assert_eq!(world.stored(&run.id).await, waiting);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_has_one_active_run_however_many_are_asked_for_at_once() {
    let world = World::new().await;
    let engine = world.engine([Turn::new().stall()]);
    let create = || {
        let new = NewRun::new(world.run());
        engine.create(&world.scope, new)
    };
    let attempts = futures_util::future::join_all((0..32).map(|_| create())).await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 1);
    assert!(
        attempts.iter().all(|attempt| matches!(attempt, Ok(_) | Err(RunError::ThreadBusy { .. }))),
        "{attempts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_what_is_being_generated_and_what_waits_for_outputs() {
    let half = || Turn::new().event(ModelEvent::Text("Half".to_owned())).stall();
    for (turn, status) in [
        (half(), RunStatus::InProgress),
        (Turn::calls([("get_stock_price", "{}")]), RunStatus::RequiresAction),
    ] {
        let world = World::new().await;
        let engine = world.engine([turn]);
        let _work = world.work(&engine);
        let run = world.start(&engine, false).await.run;
        world.until(&run.id, |run| run.status == status).await;
        let cancelling = engine.cancel(&world.scope, &world.thread, &run.id).await.unwrap();
        assert_eq!(cancelling.status, RunStatus::Cancelling);
        let run = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!(run.status, RunStatus::Cancelled);
        assert!(run.cancelled_at.is_some() && run.required_action.is_none());
        assert_eq!(world.steps(&run.id).await[0].status, RunStepStatus::Cancelled);
        let again = engine.cancel(&world.scope, &world.thread, &run.id).await.unwrap_err();
        assert!(matches!(again, RunError::NotCancellable { status: RunStatus::Cancelled }));
        // The thread is free again.
        let free = Batch::new().require_unlocked(world.thread.as_str());
        world.scope.commit(free).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_expires_in_every_status_and_late_outputs_are_refused() {
    for turn in [Turn::new().stall(), Turn::calls([("get_stock_price", "{}")])] {
        let world = World::new().await;
        let engine = world.engine([turn]);
        let _work = world.work(&engine);
        let run = world.start(&engine, false).await.run;
        let expired = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!(expired.status, RunStatus::Expired);
        assert!(world.now().0 - run.created_at.0 <= 601);
        let late = [ToolOutput::new("call_0", "1")];
        let error = engine.submit(&world.scope, &world.thread, &run.id, &late, false).await.unwrap_err();
        assert!(matches!(error, RunError::NotWaiting { status: RunStatus::Expired }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stays_wrong_becomes_last_error() {
    for (kind, code) in [
        (ModelErrorKind::RateLimited, LastErrorCode::RateLimitExceeded),
        (ModelErrorKind::InvalidRequest, LastErrorCode::InvalidPrompt),
        (ModelErrorKind::Interrupted, LastErrorCode::ServerError),
    ] {
        let world = World::new().await;
        let engine = world.engine([Turn::new().fail(ModelError::new(kind))]);
        let run = world.start(&engine, false).await.run;
        let failed = world.until(&run.id, |run| run.status.is_terminal()).await;
        assert_eq!(failed.status, RunStatus::Failed);
        assert_eq!(failed.last_error.unwrap().code, code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_must_use_a_tool_that_is_not_there_fails_before_the_model_is_asked() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([]);
    let engine = world.engine_over(&model);
    let mut run = world.run();
    let choice = NamedToolChoice { kind: "code_interpreter".to_owned(), function: None };
    run.tool_choice = Some(ToolChoice::Named(choice));
    let new = NewRun::new(run);
    let run = engine.create(&world.scope, new).await.unwrap().run;
    let failed = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert!(failed.last_error.unwrap().message.contains("`code_interpreter`"));
    assert!(model.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_others_change_while_a_run_works_is_kept() {
    let world = World::new().await;
    let (release, gate) = tokio::sync::oneshot::channel::<()>();
    let turn = Turn::new().event(ModelEvent::Text("A".to_owned()));
    let turn = turn.wait(async move { drop(gate.await) });
    let turn = turn.event(ModelEvent::Text("B".to_owned())).event(ModelEvent::Finish(FinishReason::Stop));
    let engine = world.engine([turn]);
    let run = world.start(&engine, false).await.run;
    world.until(&run.id, |run| run.status == RunStatus::InProgress).await;
    let writing = loop {
        let last = world.messages().await.pop().unwrap();
        if last.status == MessageStatus::InProgress {
            break last;
        }
        tokio::task::yield_now().await;
    };

    let notes = BTreeMap::from([("colour".to_owned(), "green".to_owned())]);
    engine.modify(&world.scope, &world.thread, &run.id, Update::Set(notes.clone())).await.unwrap();
    let document = world.scope.get(Kind::Message, writing.id.as_str()).await.unwrap().unwrap();
    let mut message: Message = document.decode().unwrap();
    message.metadata = Some(notes.clone());
    let put = ropewalk_runs::record::put_message(&message);
    world.scope.commit(Batch::new().put(put)).await.unwrap();
    release.send(()).unwrap();

    let run = world.until(&run.id, |run| run.status.is_terminal()).await;
    assert_eq!((run.status, run.metadata), (RunStatus::Completed, Some(notes.clone())));
    let message = world.messages().await.pop().unwrap();
    assert_eq!((message.text().as_str(), message.metadata), ("AB", Some(notes)));
}

#[tokio::test(start_paused = true)]
async fn the_token_budget_of_a_run_shrinks_with_each_model_call() {
    let world = World::new().await;
    let usage = Usage { prompt_tokens: 10, completion_tokens: 100, total_tokens: 110 };
    let turn = Turn::new()
        .event(ModelEvent::ToolCall(ToolCallPart {
            index: 0,
            id: Some("call_0".to_owned()),
            name: Some("f".to_owned()),
            arguments: "{}".to_owned(),
        }))
        .event(ModelEvent::Usage(usage))
        .event(ModelEvent::Finish(FinishReason::ToolCalls));
    let model = ScriptedModel::with_turns([turn, Turn::text("Done.")]);
    let engine = world.engine_over(&model);
    let mut run = world.run();
    run.max_completion_tokens = Some(256);
    let new = NewRun::new(run);
    let run = engine.create(&world.scope, new).await.unwrap().run;
    world.until(&run.id, |run| run.status == RunStatus::RequiresAction).await;
    let outputs = [ToolOutput::new("call_0", "1")];
    engine.submit(&world.scope, &world.thread, &run.id, &outputs, false).await.unwrap();
    world.until(&run.id, |run| run.status.is_terminal()).await;
    let budgets: Vec<_> = model.requests().iter().map(|request| request.max_completion_tokens).collect();
    assert_eq!(budgets, [Some(256), Some(156)]);
}
