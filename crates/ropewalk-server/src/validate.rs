//! Bounds of requests that their types cannot say (contract: BEHAVIOUR 3.1 and 15).

use ropewalk_types::{
    CreateAssistant, CreateMessage, CreateRun, CreateThread, CreateThreadAndRun, MessageInput, Metadata,
    ModifyAssistant, ModifyThread, Role, RunOptions, Tool, ToolResources, Update,
};
use serde_json::Value;

use crate::{api_error::ApiError, json::unsupported_value};

const NAME: usize = 256;
const DESCRIPTION: usize = 512;
const INSTRUCTIONS: usize = 256_000;
const CONTENT: usize = 256_000;
const TOOLS: usize = 128;
const FUNCTION_NAME: usize = 64;
const FUNCTION_DESCRIPTION: usize = 1024;
const CODE_INTERPRETER_FILES: usize = 20;
const VECTOR_STORES: usize = 1;
const METADATA_PAIRS: usize = 16;
const METADATA_KEY: usize = 64;
const METADATA_VALUE: usize = 512;
const MIN_TOKENS: u64 = 256;
const TOOL_TYPES: [&str; 3] = ["code_interpreter", "file_search", "function"];

type Check = Result<(), ApiError>;

pub(crate) fn create_assistant(request: &CreateAssistant) -> Check {
    text("name", request.name.as_deref(), NAME)?;
    text("description", request.description.as_deref(), DESCRIPTION)?;
    text("instructions", request.instructions.as_deref(), INSTRUCTIONS)?;
    tools(request.tools.as_deref())?;
    tool_resources("tool_resources", request.tool_resources.as_ref())?;
    metadata("metadata", request.metadata.as_ref())?;
    sampling(request.temperature, request.top_p)
}

pub(crate) fn modify_assistant(request: &ModifyAssistant) -> Check {
    text("name", request.name.as_set().map(String::as_str), NAME)?;
    text("description", request.description.as_set().map(String::as_str), DESCRIPTION)?;
    text("instructions", request.instructions.as_set().map(String::as_str), INSTRUCTIONS)?;
    tools(request.tools.as_set().map(Vec::as_slice))?;
    tool_resources("tool_resources", request.tool_resources.as_set())?;
    modify_metadata(&request.metadata)?;
    sampling(request.temperature.as_set().copied(), request.top_p.as_set().copied())
}

pub(crate) fn modify_thread(request: &ModifyThread) -> Check {
    tool_resources("tool_resources", request.tool_resources.as_set())?;
    modify_metadata(&request.metadata)
}

pub(crate) fn modify_metadata(update: &Update<Metadata>) -> Check {
    metadata("metadata", update.as_set())
}

/// Checks a thread to make; `prefix` is where it stands in the request (`thread.`).
pub(crate) fn create_thread(request: &CreateThread, prefix: &str) -> Check {
    tool_resources(&format!("{prefix}tool_resources"), request.tool_resources.as_ref())?;
    metadata(&format!("{prefix}metadata"), request.metadata.as_ref())?;
    messages(request.messages.as_deref(), &format!("{prefix}messages"))
}

/// Checks a message to make; `prefix` is where it stands in the request (`messages[0].`).
pub(crate) fn create_message(request: &CreateMessage, prefix: &str) -> Check {
    if let Role::Unknown(role) = &request.role {
        return Err(unsupported_value(&format!("{prefix}role"), role, &["user", "assistant"]));
    }
    let path = format!("{prefix}content");
    match &request.content {
        MessageInput::Text(content) => text(&path, Some(content), CONTENT)?,
        MessageInput::Parts(parts) if parts.is_empty() => {
            let message = format!(
                "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array \
                 instead."
            );
            return Err(ApiError::bad_field(&path, "empty_array", message));
        }
        MessageInput::Parts(parts) => {
            for (position, part) in parts.iter().enumerate() {
                if let ropewalk_types::ContentPart::Text { text: content } = part {
                    text(&format!("{path}[{position}].text"), Some(content), CONTENT)?;
                }
            }
        }
    }
    metadata(&format!("{prefix}metadata"), request.metadata.as_ref())
}

pub(crate) fn create_run(request: &CreateRun) -> Check {
    text("additional_instructions", request.additional_instructions.as_deref(), INSTRUCTIONS)?;
    messages(request.additional_messages.as_deref(), "additional_messages")?;
    run_options(&request.options())
}

pub(crate) fn create_thread_and_run(request: &CreateThreadAndRun) -> Check {
    if let Some(thread) = &request.thread {
        create_thread(thread, "thread.")?;
    }
    tool_resources("tool_resources", request.tool_resources.as_ref())?;
    run_options(&request.options())
}

fn run_options(options: &RunOptions) -> Check {
    text("instructions", options.instructions.as_deref(), INSTRUCTIONS)?;
    tools(options.tools.as_deref())?;
    metadata("metadata", options.metadata.as_ref())?;
    sampling(options.temperature, options.top_p)?;
    at_least("max_prompt_tokens", options.max_prompt_tokens, MIN_TOKENS)?;
    at_least("max_completion_tokens", options.max_completion_tokens, MIN_TOKENS)?;
    let last_messages = options.truncation_strategy.as_ref().and_then(|strategy| strategy.last_messages);
    at_least("truncation_strategy.last_messages", last_messages, 1)
}

fn messages(messages: Option<&[CreateMessage]>, path: &str) -> Check {
    let mut messages = messages.unwrap_or_default().iter().enumerate();
    messages.try_for_each(|(position, message)| create_message(message, &format!("{path}[{position}].")))
}

fn text(path: &str, text: Option<&str>, most: usize) -> Check {
    // Most texts are shorter in bytes than they may be in characters.
    let Some(text) = text.filter(|text| text.len() > most) else { return Ok(()) };
    let length = text.chars().count();
    if length <= most {
        return Ok(());
    }
    let message = format!(
        "Invalid '{path}': string too long. Expected a string with maximum length {most}, but got a string with \
         length {length} instead."
    );
    Err(ApiError::bad_field(path, "string_above_max_length", message))
}

fn metadata(path: &str, metadata: Option<&Metadata>) -> Check {
    let Some(metadata) = metadata else { return Ok(()) };
    if metadata.len() > METADATA_PAIRS {
        let message = format!(
            "Invalid '{path}': too many properties. Expected an object with at most {METADATA_PAIRS} properties, \
             but got an object with {} properties instead.",
            metadata.len()
        );
        return Err(ApiError::bad_field(path, "object_above_max_properties", message));
    }
    metadata.iter().try_for_each(|(key, value)| {
        text(&format!("{path}.{key}"), Some(key), METADATA_KEY)?;
        text(&format!("{path}.{key}"), Some(value), METADATA_VALUE)
    })
}

fn sampling(temperature: Option<f64>, top_p: Option<f64>) -> Check {
    decimal("temperature", temperature, 2.0)?;
    decimal("top_p", top_p, 1.0)
}

fn decimal(path: &str, value: Option<f64>, most: f64) -> Check {
    let Some(value) = value else { return Ok(()) };
    let out = |side: &str, bound: String, code: &str| {
        let message = format!(
            "Invalid '{path}': decimal {side} value. Expected a value {bound}, but got {value} instead."
        );
        Err(ApiError::bad_field(path, code, message))
    };
    if value > most {
        return out("above maximum", format!("<= {most}"), "decimal_above_max_value");
    }
    if value < 0.0 {
        return out("below minimum", ">= 0".to_owned(), "decimal_below_min_value");
    }
    Ok(())
}

fn at_least(path: &str, value: Option<u64>, least: u64) -> Check {
    let Some(value) = value.filter(|value| *value < least) else { return Ok(()) };
    let message = format!(
        "Invalid '{path}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
    );
    Err(ApiError::bad_field(path, "integer_below_min_value", message))
}

fn tools(tools: Option<&[Tool]>) -> Check {
    let tools = tools.unwrap_or_default();
    at_most("tools", tools.len(), TOOLS)?;
    tools.iter().enumerate().try_for_each(|(position, one)| tool(&format!("tools[{position}]"), one))
}

fn tool_resources(path: &str, resources: Option<&ToolResources>) -> Check {
    let Some(resources) = resources else { return Ok(()) };
    if let Some(files) = &resources.code_interpreter {
        at_most(&format!("{path}.code_interpreter.file_ids"), files.file_ids.len(), CODE_INTERPRETER_FILES)?;
    }
    let Some(search) = &resources.file_search else { return Ok(()) };
    let stores = search.vector_store_ids.as_ref().map_or(0, Vec::len);
    let new_stores = search.vector_stores.as_ref().map_or(0, Vec::len);
    at_most(&format!("{path}.file_search.vector_store_ids"), stores, VECTOR_STORES)?;
    at_most(&format!("{path}.file_search.vector_stores"), new_stores, VECTOR_STORES)
}

fn at_most(path: &str, length: usize, most: usize) -> Check {
    if length <= most {
        return Ok(());
    }
    let message = format!(
        "Invalid '{path}': array too long. Expected an array with maximum length {most}, but got an array with \
         length {length} instead."
    );
    Err(ApiError::bad_field(path, "array_above_max_length", message))
}

fn tool(path: &str, tool: &Tool) -> Check {
    match tool {
        Tool::Function { function } => {
            let description = function.description.as_deref();
            text(&format!("{path}.function.description"), description, FUNCTION_DESCRIPTION)?;
            function_name(&format!("{path}.function.name"), &function.name)
        }
        Tool::Unknown(value) => Err(unfit_tool(path, value)),
        _ => Ok(()),
    }
}

fn function_name(path: &str, name: &str) -> Check {
    text(path, Some(name), FUNCTION_NAME)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(());
    }
    let message = format!(
        "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern \
         '^[a-zA-Z0-9_-]+$'."
    );
    Err(ApiError::bad_field(path, "invalid_value", message))
}

/// What is wrong with a tool that has none of the known forms.
fn unfit_tool(path: &str, value: &Value) -> ApiError {
    let missing = |field: &str| {
        let param = format!("{path}.{field}");
        let message = format!("Missing required parameter: '{param}'.");
        ApiError::bad_field(&param, "missing_required_parameter", message)
    };
    match value.get("type").and_then(Value::as_str) {
        None if value.get("type").is_none() => missing("type"),
        Some("function") if value.get("function").is_none() => missing("function"),
        Some("function") if value["function"].get("name").is_none() => missing("function.name"),
        Some(known) if TOOL_TYPES.contains(&known) => {
            let message =
                format!("Invalid type for '{path}': a field of this {known} tool has a wrong type.");
            ApiError::bad_field(path, "invalid_type", message)
        }
        word => unsupported_value(&format!("{path}.type"), word.unwrap_or_default(), &TOOL_TYPES),
    }
}
