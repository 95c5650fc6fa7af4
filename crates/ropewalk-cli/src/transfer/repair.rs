//! What other servers leave out, or call `null`, where our types have a list or a word.

use serde_json::{Map, Value, json};

use super::sort::Sort;

/// Fills in what the hosted API and Azure's were seen to leave out. What is there stays.
pub(super) fn repair(sort: Sort, object: &mut Value) {
    let Value::Object(object) = object else { return };
    notes(object);
    match sort {
        Sort::File => {
            or(object, "purpose", json!("assistants"));
            or(object, "status", json!("processed"));
        }
        Sort::VectorStore => {
            or(object, "name", json!(""));
            or(object, "usage_bytes", json!(0));
            or(object, "status", json!("completed"));
            // Counted anew, whatever was there.
            object.insert(
                "file_counts".to_owned(),
                json!({ "in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0 }),
            );
        }
        Sort::VectorStoreFile => {
            or(object, "usage_bytes", json!(0));
            or(object, "status", json!("in_progress"));
            or(object, "attributes", json!({}));
        }
        Sort::Assistant => {
            or(object, "tools", json!([]));
            resources(object);
        }
        Sort::Thread => resources(object),
        Sort::Message => {
            or(object, "status", json!("completed"));
            or(object, "content", json!([]));
            for part in each(object.get_mut("content")) {
                if let Some(Value::Object(text)) = part.get_mut("text") {
                    or(text, "annotations", json!([]));
                }
            }
            for attachment in each(object.get_mut("attachments")) {
                or(attachment, "tools", json!([]));
            }
        }
        Sort::Run => {
            or(object, "instructions", json!(""));
            or(object, "model", json!(""));
            or(object, "tools", json!([]));
            or(object, "parallel_tool_calls", json!(true));
            resources(object);
        }
        Sort::RunStep => {
            let Some(Value::Object(details)) = object.get_mut("step_details") else { return };
            if details.get("type").is_some_and(|kind| kind == "tool_calls") {
                or(details, "tool_calls", json!([]));
            }
            for call in each(details.get_mut("tool_calls")) {
                match call.get("type").and_then(Value::as_str) {
                    Some("file_search") => or(call, "file_search", json!({})),
                    Some("code_interpreter") => {
                        or(call, "code_interpreter", json!({}));
                        if let Some(Value::Object(cell)) = call.get_mut("code_interpreter") {
                            or(cell, "input", json!(""));
                            or(cell, "outputs", json!([]));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Sets what is absent or `null`.
fn or(object: &mut Map<String, Value>, key: &str, value: Value) {
    let there = object.entry(key).or_insert(Value::Null);
    if there.is_null() {
        *there = value;
    }
}

/// The objects of a list, if it is one.
fn each(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

fn resources(object: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = object.get_mut("tool_resources") else { return };
    if let Some(Value::Object(interpreter)) = resources.get_mut("code_interpreter") {
        or(interpreter, "file_ids", json!([]));
    }
}

/// Notes are texts; a number or a truth value that somebody else let pass becomes its text.
fn notes(object: &mut Map<String, Value>) {
    let Some(Value::Object(notes)) = object.get_mut("metadata") else { return };
    notes.retain(|_, note| !note.is_null());
    for note in notes.values_mut() {
        if matches!(note, Value::Number(_) | Value::Bool(_)) {
            *note = Value::String(note.to_string());
        }
    }
}
