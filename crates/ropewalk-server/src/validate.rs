//! Rules of requests that their schemas cannot say: how one field bears on another.

use std::collections::HashSet;

use ropewalk_types::{
    ChunkingStrategyParam, CreateAssistant, CreateRun, CreateThread, CreateThreadAndRun,
    CreateVectorStoreFileBatch, ModifyAssistant, ModifyThread, NamedToolChoice, Tool, ToolChoice,
    ToolResources,
};

use crate::api_error::ApiError;

type Check = Result<(), ApiError>;

pub(crate) fn create_assistant(request: &CreateAssistant) -> Check {
    tools(request.tools.as_deref())?;
    tool_resources("tool_resources", request.tool_resources.as_ref())
}

pub(crate) fn modify_assistant(request: &ModifyAssistant) -> Check {
    tools(request.tools.as_set().map(Vec::as_slice))?;
    tool_resources("tool_resources", request.tool_resources.as_set())
}

pub(crate) fn modify_thread(request: &ModifyThread) -> Check {
    tool_resources("tool_resources", request.tool_resources.as_set())
}

/// Checks a thread to make; `prefix` is where it stands in the request (`thread.`).
pub(crate) fn create_thread(request: &CreateThread, prefix: &str) -> Check {
    tool_resources(&format!("{prefix}tool_resources"), request.tool_resources.as_ref())
}

pub(crate) fn create_run(request: &CreateRun) -> Check {
    tools(request.tools.as_deref())?;
    tool_choice(request.tool_choice.as_ref())
}

pub(crate) fn create_thread_and_run(request: &CreateThreadAndRun) -> Check {
    request.thread.as_ref().map_or(Ok(()), |thread| create_thread(thread, "thread."))?;
    tools(request.tools.as_deref())?;
    tool_choice(request.tool_choice.as_ref())?;
    tool_resources("tool_resources", request.tool_resources.as_ref())
}

/// Checks a batch of files: one form of them or the other.
pub(crate) fn create_file_batch(request: &CreateVectorStoreFileBatch) -> Check {
    let mut files = match (&request.file_ids, &request.files) {
        (Some(_), Some(_)) => {
            let message = "Invalid 'files': expected either 'file_ids' or 'files', but got both instead.";
            return Err(ApiError::bad_field("files", "invalid_value", message));
        }
        (None, None) => {
            let message = "Missing required parameter: 'file_ids'.";
            return Err(ApiError::bad_field("file_ids", "missing_required_parameter", message));
        }
        (_, files) => files.iter().flatten().enumerate(),
    };
    chunking("chunking_strategy", request.chunking_strategy.as_ref())?;
    files.try_for_each(|(position, file)| {
        chunking(&format!("files[{position}].chunking_strategy"), file.chunking_strategy.as_ref())
    })
}

/// Checks how files are to be cut: chunks overlap by half of their size at most.
pub(crate) fn chunking(path: &str, strategy: Option<&ChunkingStrategyParam>) -> Check {
    let Some(ChunkingStrategyParam::Static { window }) = strategy else { return Ok(()) };
    let (most, got) = (window.max_chunk_size_tokens / 2, window.chunk_overlap_tokens);
    if got <= most {
        return Ok(());
    }
    let path = format!("{path}.static.chunk_overlap_tokens");
    let message = format!(
        "Invalid '{path}': integer above maximum value. Expected a value <= {most}, half of \
         'max_chunk_size_tokens', but got {got} instead."
    );
    Err(ApiError::bad_field(&path, "integer_above_max_value", message))
}

/// The model tells tools apart by their names.
fn tools(tools: Option<&[Tool]>) -> Check {
    let mut names = HashSet::new();
    for (position, tool) in tools.unwrap_or_default().iter().enumerate() {
        let Some(name) = tool.name().filter(|name| !names.insert(*name)) else { continue };
        let path = match tool {
            Tool::Function { .. } => format!("tools[{position}].function.name"),
            _ => format!("tools[{position}].type"),
        };
        let message = format!("Invalid '{path}': there is already a tool named '{name}'.");
        return Err(ApiError::bad_field(&path, "invalid_value", message));
    }
    Ok(())
}

fn tool_choice(choice: Option<&ToolChoice>) -> Check {
    match choice {
        Some(ToolChoice::Named(NamedToolChoice { kind, function: None })) if kind == "function" => {
            let path = "tool_choice.function";
            let message = format!("Missing required parameter: '{path}'.");
            Err(ApiError::bad_field(path, "missing_required_parameter", message))
        }
        _ => Ok(()),
    }
}

fn tool_resources(path: &str, resources: Option<&ToolResources>) -> Check {
    let Some(search) = resources.and_then(|resources| resources.file_search.as_ref()) else { return Ok(()) };
    let path = format!("{path}.file_search");
    if search.vector_store_ids.is_some() && search.vector_stores.is_some() {
        let message = format!(
            "Invalid '{path}': expected either 'vector_store_ids' or 'vector_stores', but got both instead."
        );
        return Err(ApiError::bad_field(&path, "invalid_value", message));
    }
    let mut stores = search.vector_stores.iter().flatten().enumerate();
    stores.try_for_each(|(position, store)| {
        let path = format!("{path}.vector_stores[{position}].chunking_strategy");
        chunking(&path, store.chunking_strategy.as_ref())
    })
}
