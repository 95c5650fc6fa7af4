//! What the model is shown: the thread, then what this run did so far.

use std::collections::HashMap;

use ropewalk_model::{ChatMessage, ChatPart, ModelRequest};
use ropewalk_types::{
    Function, IncompleteReason, Message, MessageContent, MessageId, MessageStatus, Role, Run, RunStep,
    RunStepStatus, StepDetails, Tool, ToolCallRecord, ToolChoice, ToolChoiceMode, TruncationKind, Usage,
};
use serde_json::json;

use crate::machine::{Failure, calls_of};

/// The tools of the API that a server runs itself, by the name that models call them by.
pub const BUILT_IN_TOOLS: [&str; 2] = ["code_interpreter", "file_search"];

/// What to send to the model for the next turn of `run`.
///
/// `steps` are the run's own, oldest first. `messages` are those of its thread, oldest first, the run's own
/// included: these are placed where their steps stand. Messages that were cut short by a fault or a cancel are
/// left out. `spent` is what the run's model calls cost so far: the model may write what is left of its budget.
pub fn model_request(run: &Run, steps: &[RunStep], messages: &[Message], spent: Usage) -> ModelRequest {
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
    add_steps(steps, &own, &mut request.messages);

    request.tools = run.tools.iter().filter_map(as_function).collect();
    // A forced choice holds for the first turn: held for longer, the run could never answer.
    let first_turn = !steps.iter().any(|step| step.status == RunStepStatus::Completed);
    request.tool_choice = run
        .tool_choice
        .clone()
        .filter(|choice| first_turn || matches!(choice, ToolChoice::Mode(ToolChoiceMode::None)));
    request.parallel_tool_calls = Some(run.parallel_tool_calls);
    request.max_completion_tokens =
        run.max_completion_tokens.map(|budget| budget.saturating_sub(spent.completion_tokens));
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
            Some(ChatPart::Text(format!("[image file {}]", image_file.file_id)))
        }
        _ => None,
    }
}

/// Adds what the run did: its messages, its tool calls with their outputs.
fn add_steps(steps: &[RunStep], own: &HashMap<&MessageId, &Message>, chat: &mut Vec<ChatMessage>) {
    for step in steps.iter().filter(|step| step.status == RunStepStatus::Completed) {
        match &step.step_details {
            StepDetails::MessageCreation { message_creation } => {
                chat.extend(own.get(&message_creation.message_id).map(|message| chat_message(message)));
            }
            StepDetails::ToolCalls { tool_calls } => {
                let calls = calls_of(step);
                // Text and calls of one turn are two steps here, but one message to the model.
                match chat.last_mut() {
                    Some(ChatMessage::Assistant { tool_calls, .. }) if tool_calls.is_empty() => {
                        *tool_calls = calls;
                    }
                    _ => chat.push(ChatMessage::Assistant { text: None, tool_calls: calls }),
                }
                chat.extend(tool_calls.iter().filter_map(tool_output));
            }
            _ => {}
        }
    }
}

fn tool_output(record: &ToolCallRecord) -> Option<ChatMessage> {
    match record {
        ToolCallRecord::Function { id, function } => {
            Some(ChatMessage::Tool { call: id.clone(), output: function.output.clone().unwrap_or_default() })
        }
        _ => None,
    }
}

/// A tool as the model is told of it: built-in tools are functions with one string.
fn as_function(tool: &Tool) -> Option<Function> {
    let built_in = |name: &str, description: &str, parameter: &str, hint: &str| {
        Function::new(name).description(description).parameters(json!({
            "type": "object",
            "properties": { parameter: { "type": "string", "description": hint } },
            "required": [parameter],
            "additionalProperties": false,
        }))
    };
    match tool {
        Tool::Function { function } => Some(function.clone()),
        Tool::CodeInterpreter => Some(built_in(
            "code_interpreter",
            "Runs Python code and gives back what it prints.",
            "input",
            "The Python code.",
        )),
        Tool::FileSearch { .. } => Some(built_in(
            "file_search",
            "Searches the files that belong to this conversation.",
            "query",
            "What to look for.",
        )),
        _ => None,
    }
}

/// Whether a model that calls `name` in `run` wants a built-in tool which this server does not have.
pub(crate) fn is_missing_built_in(run: &Run, name: &str) -> bool {
    BUILT_IN_TOOLS.contains(&name)
        && run.tools.iter().any(|tool| !matches!(tool, Tool::Function { .. }) && tool.name() == Some(name))
}

/// The built-in tool that `run` forces the model to use, if it does.
pub(crate) fn forced_built_in(run: &Run) -> Option<&'static str> {
    let Some(ToolChoice::Named(choice)) = &run.tool_choice else { return None };
    BUILT_IN_TOOLS.into_iter().find(|name| *name == choice.kind)
}

/// Why a run that needs the built-in tool `name` fails.
pub(crate) fn missing_tool(name: &str) -> Failure {
    Failure::server(format!(
        "This run needs the tool `{name}`, which this server does not offer yet. Remove it from the tools of \
         the assistant or of the run, or let the model answer without it."
    ))
}
