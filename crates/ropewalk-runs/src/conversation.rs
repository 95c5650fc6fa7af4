//! What the model is shown: the thread, then what this run did so far.

use std::collections::HashMap;

use ropewalk_model::{ChatMessage, ChatPart, ModelRequest};
use ropewalk_types::{
    Function, IncompleteReason, Message, MessageContent, MessageId, MessageStatus, NamedFunction,
    NamedToolChoice, Role, Run, RunStepStatus, StepDetails, Tool, ToolChoice, ToolChoiceMode, TruncationKind,
};

use crate::{machine::Machine, server_tool::BuiltInTool};

/// What to send to the model for the next turn of the run of `machine`.
///
/// `messages` are those of its thread, oldest first, the run's own included: these are placed where their steps
/// stand. Messages that were cut short by a fault or a cancel are left out. The model may write what is left of the
/// run's budget. Image files are named, not loaded. `built_in` says how it is told of tools of the server.
pub(crate) fn model_request(machine: &Machine, built_in: &[Function], messages: &[Message]) -> ModelRequest {
    let (run, steps) = (machine.run(), machine.steps());
    let mut request = ModelRequest::new(run.model.clone());
    if !run.instructions.is_empty() {
        request.messages.push(ChatMessage::System(run.instructions.clone()));
    }
    let (own, history): (Vec<&Message>, Vec<&Message>) = messages
        .iter()
        .filter(|message| is_whole(message))
        .partition(|message| message.run_id.as_ref() == Some(&run.id));
    let skipped = history.len().saturating_sub(longest_history(run));
    request.messages.extend(history.into_iter().skip(skipped).map(chat_message));
    let own = own.into_iter().map(|message| (&message.id, message)).collect();
    add_steps(machine, &own, &mut request.messages);

    request.tools = run.tools.iter().filter_map(|tool| as_function(tool, built_in)).collect();
    // A forced choice holds for the first turn: held for longer, the run could never answer.
    let first_turn = !steps.iter().any(|step| step.status == RunStepStatus::Completed);
    request.tool_choice = run
        .tool_choice
        .clone()
        .filter(|choice| first_turn || matches!(choice, ToolChoice::Mode(ToolChoiceMode::None)))
        .map(by_function);
    request.parallel_tool_calls = Some(run.parallel_tool_calls);
    request.max_completion_tokens = run
        .max_completion_tokens
        .map(|budget| budget.saturating_sub(machine.state().usage.completion_tokens));
    request.temperature = run.temperature;
    request.top_p = run.top_p;
    request.response_format = run.response_format.clone();
    request.reasoning_effort = run.reasoning_effort.clone();
    request
}

/// How many messages of the thread the run may show the model.
fn longest_history(run: &Run) -> usize {
    match &run.truncation_strategy {
        Some(strategy) if strategy.kind == TruncationKind::LastMessages => {
            strategy.last_messages.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
        }
        _ => usize::MAX,
    }
}

fn is_whole(message: &Message) -> bool {
    let cut_by_limit = |message: &Message| {
        message
            .incomplete_details
            .as_ref()
            .is_some_and(|details| details.reason == IncompleteReason::MaxTokens)
    };
    match message.status {
        MessageStatus::Completed => true,
        MessageStatus::Incomplete => cut_by_limit(message),
        _ => false,
    }
}

fn chat_message(message: &Message) -> ChatMessage {
    match message.role {
        Role::Assistant => ChatMessage::Assistant { text: Some(message.text()), tool_calls: Vec::new() },
        _ => ChatMessage::User(message.content.iter().filter_map(chat_part).collect()),
    }
}

fn chat_part(part: &MessageContent) -> Option<ChatPart> {
    match part {
        MessageContent::Text { text } => Some(ChatPart::Text(text.value.clone())),
        MessageContent::ImageUrl { image_url } => {
            Some(ChatPart::ImageUrl { url: image_url.url.clone(), detail: image_url.detail })
        }
        MessageContent::ImageFile { image_file } => {
            Some(ChatPart::ImageFile { file: image_file.file_id.clone(), detail: image_file.detail })
        }
        _ => None,
    }
}

/// Adds what the run did: its messages, its tool calls with their outputs.
fn add_steps(machine: &Machine, own: &HashMap<&MessageId, &Message>, chat: &mut Vec<ChatMessage>) {
    for step in machine.steps().iter().filter(|step| step.status == RunStepStatus::Completed) {
        match &step.step_details {
            StepDetails::MessageCreation { message_creation } => {
                chat.extend(own.get(&message_creation.message_id).map(|message| chat_message(message)));
            }
            StepDetails::ToolCalls { .. } => {
                let (calls, outputs): (Vec<_>, Vec<_>) = machine.server_calls().shown(step).unzip();
                let outputs: Vec<ChatMessage> = calls
                    .iter()
                    .zip(outputs)
                    .map(|(call, output)| ChatMessage::Tool {
                        call: call.id.clone(),
                        output: output.to_owned(),
                    })
                    .collect();
                // Text and calls of one turn are two steps here, but one message to the model.
                match chat.last_mut() {
                    Some(ChatMessage::Assistant { tool_calls, .. }) if tool_calls.is_empty() => {
                        *tool_calls = calls;
                    }
                    _ => chat.push(ChatMessage::Assistant { text: None, tool_calls: calls }),
                }
                chat.extend(outputs);
            }
            _ => {}
        }
    }
}

/// A tool as the model is told of it: as a function. One of the API that this server does not have is named too, so
/// that a run which needs it fails with a reason.
fn as_function(tool: &Tool, built_in: &[Function]) -> Option<Function> {
    match (tool, BuiltInTool::of(tool)) {
        (Tool::Function { function }, _) => Some(function.clone()),
        (_, Some(tool)) => {
            let offered = built_in.iter().find(|function| function.name == tool.name());
            Some(offered.cloned().unwrap_or_else(|| Function::new(tool.name())))
        }
        _ => None,
    }
}

/// The choice as models know it: tools of the server are functions to them.
fn by_function(choice: ToolChoice) -> ToolChoice {
    match choice {
        ToolChoice::Named(NamedToolChoice { kind, function: None }) => {
            let function = Some(NamedFunction { name: kind });
            ToolChoice::Named(NamedToolChoice { kind: "function".to_owned(), function })
        }
        choice => choice,
    }
}

/// The built-in tool that `run` forces the model to use, if it does.
pub(crate) fn forced_built_in(run: &Run) -> Option<BuiltInTool> {
    let Some(ToolChoice::Named(choice)) = &run.tool_choice else { return None };
    BuiltInTool::ALL.into_iter().find(|tool| tool.name() == choice.kind)
}
