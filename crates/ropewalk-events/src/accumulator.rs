use ropewalk_types::{
    Annotation, AnnotationDelta, CodeOutput, CodeOutputDelta, ContentDelta, FunctionCallRecord,
    MessageContent, Text, TextDelta, ToolCallDelta, ToolCallId, ToolCallRecord, Update,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::SnapshotError;

/// Longest list that deltas can build.
const MAX_ENTRIES: usize = 65_536;
/// Most entries that deltas can skip, over all lists of a stream: a hole costs memory that nobody sent.
const MAX_HOLES: usize = 1_024;

/// Adds deltas to objects: strings are joined, list entries find their place by `index`, which they then lose.
///
/// What streams token by token has a path of its own; everything else, kinds newer than this crate included, goes
/// through JSON by the general rules. A hole in a list is an `Unknown` entry that is `null`.
///
/// # Source
///
/// `accumulation` of the contract, after `accumulate_delta` of the official SDKs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accumulator {
    holes: usize,
}

type Sum = Result<(), SnapshotError>;

impl Accumulator {
    pub(crate) fn content(&mut self, parts: &mut Vec<MessageContent>, delta: &ContentDelta) -> Sum {
        let part = self.entry(parts, content_index(delta), MessageContent::Unknown)?;
        if *part == MessageContent::Unknown(Value::Null) {
            match delta {
                ContentDelta::Text { .. } => *part = MessageContent::Text { text: Text::default() },
                ContentDelta::Refusal { .. } => *part = MessageContent::Refusal { refusal: String::new() },
                _ => {}
            }
        }
        match (part, delta) {
            (MessageContent::Text { text: sum }, ContentDelta::Text { text, .. }) => {
                text.as_ref().map_or(Ok(()), |text| self.text(sum, text))
            }
            (MessageContent::Refusal { refusal: sum }, ContentDelta::Refusal { refusal, .. }) => {
                join(sum, refusal.as_deref());
                Ok(())
            }
            (part, delta) => self.merge(part, delta, MessageContent::Unknown),
        }
    }

    fn text(&mut self, sum: &mut Text, delta: &TextDelta) -> Sum {
        join(&mut sum.value, delta.value.as_deref());
        delta.annotations.iter().flatten().try_for_each(|annotation| {
            let entry =
                self.entry(&mut sum.annotations, annotation_index(annotation), Annotation::Unknown)?;
            self.merge(entry, annotation, Annotation::Unknown)
        })
    }

    pub(crate) fn tool_call(&mut self, calls: &mut Vec<ToolCallRecord>, delta: &ToolCallDelta) -> Sum {
        let call = self.entry(calls, call_index(delta), ToolCallRecord::Unknown)?;
        if *call == ToolCallRecord::Unknown(Value::Null) {
            *call = begin_call(delta);
        }
        match (call, delta) {
            (
                ToolCallRecord::Function { id: sum_id, function: sum },
                ToolCallDelta::Function { id, function, .. },
            ) => {
                join_id(sum_id, id.as_ref());
                if let Some(delta) = function {
                    join(&mut sum.name, delta.name.as_deref());
                    join(&mut sum.arguments, delta.arguments.as_deref());
                    if let Update::Set(output) = &delta.output {
                        sum.output.get_or_insert_default().push_str(output);
                    }
                }
                Ok(())
            }
            (
                ToolCallRecord::CodeInterpreter { id: sum_id, code_interpreter: sum },
                ToolCallDelta::CodeInterpreter { id, code_interpreter, .. },
            ) => {
                join_id(sum_id, id.as_ref());
                let Some(delta) = code_interpreter else { return Ok(()) };
                join(&mut sum.input, delta.input.as_deref());
                delta.outputs.iter().flatten().try_for_each(|output| self.output(&mut sum.outputs, output))
            }
            (call, delta) => self.merge(call, delta, ToolCallRecord::Unknown),
        }
    }

    fn output(&mut self, outputs: &mut Vec<CodeOutput>, delta: &CodeOutputDelta) -> Sum {
        let index = match delta {
            CodeOutputDelta::Logs { index, .. } | CodeOutputDelta::Image { index, .. } => Some(*index),
            CodeOutputDelta::Unknown(value) => index_of(value),
            _ => None,
        };
        let output = self.entry(outputs, index, CodeOutput::Unknown)?;
        if let (CodeOutput::Unknown(Value::Null), CodeOutputDelta::Logs { .. }) = (&*output, delta) {
            *output = CodeOutput::Logs { logs: String::new() };
        }
        match (output, delta) {
            (CodeOutput::Logs { logs: sum }, CodeOutputDelta::Logs { logs, .. }) => {
                join(sum, logs.as_deref());
                Ok(())
            }
            (output, delta) => self.merge(output, delta, CodeOutput::Unknown),
        }
    }

    /// The entry of `list` at `index`; holes are filled up to it.
    fn entry<'a, T>(
        &mut self,
        list: &'a mut Vec<T>,
        index: Option<u64>,
        unknown: fn(Value) -> T,
    ) -> Result<&'a mut T, SnapshotError> {
        let index = index.ok_or(SnapshotError::NoIndex)?;
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let holes = self.holes.saturating_add(at.saturating_sub(list.len()));
        if at >= MAX_ENTRIES || holes > MAX_HOLES {
            return Err(SnapshotError::Index(index));
        }
        self.holes = holes;
        if at >= list.len() {
            list.resize_with(at + 1, || unknown(Value::Null));
        }
        Ok(&mut list[at])
    }

    /// Adds `delta`, a list entry, to `sum` by the general rules.
    fn merge<T>(&mut self, sum: &mut T, delta: &impl Serialize, unknown: fn(Value) -> T) -> Sum
    where
        T: Serialize + DeserializeOwned,
    {
        let mut total = serde_json::to_value(&*sum).unwrap_or_default();
        self.value(&mut total, &serde_json::to_value(delta).unwrap_or_default(), true)?;
        *sum = T::deserialize(&total).unwrap_or_else(|_| unknown(total));
        Ok(())
    }

    /// The general rules. `is_entry` says that `delta` is a list entry, whose `index` has been used.
    pub(crate) fn value(&mut self, sum: &mut Value, delta: &Value, is_entry: bool) -> Sum {
        if sum.is_null() {
            *sum = match delta {
                Value::Object(_) => Value::Object(serde_json::Map::new()),
                Value::Array(_) => Value::Array(Vec::new()),
                scalar => scalar.clone(),
            };
            if !matches!(delta, Value::Object(_) | Value::Array(_)) {
                return Ok(());
            }
        }
        match (sum, delta) {
            (Value::String(sum), Value::String(delta)) => sum.push_str(delta),
            (Value::Number(sum), Value::Number(delta)) => *sum = add(sum, delta),
            (Value::Object(sum), Value::Object(delta)) => {
                for (key, delta) in delta.iter().filter(|(key, _)| !is_entry || *key != "index") {
                    match sum.get_mut(key) {
                        Some(sum) if key == "index" || key == "type" => *sum = delta.clone(),
                        Some(sum) => self.value(sum, delta, false)?,
                        None => self.value(sum.entry(key).or_insert(Value::Null), delta, false)?,
                    }
                }
            }
            (Value::Array(sum), Value::Array(delta)) => {
                for delta in delta {
                    // A list of plain values, or of objects without a place, only grows.
                    let index = index_of(delta).unwrap_or(sum.len() as u64);
                    let entry = self.entry(sum, Some(index), std::convert::identity)?;
                    self.value(entry, delta, true)?;
                }
            }
            // Kinds that do not add up: what is there stays.
            _ => {}
        }
        Ok(())
    }
}

/// A call that has nothing but its kind yet.
fn begin_call(delta: &ToolCallDelta) -> ToolCallRecord {
    let id = ToolCallId::new("");
    match delta {
        ToolCallDelta::Function { .. } => ToolCallRecord::Function {
            id,
            function: FunctionCallRecord { name: String::new(), arguments: String::new(), output: None },
        },
        ToolCallDelta::CodeInterpreter { .. } => {
            ToolCallRecord::CodeInterpreter { id, code_interpreter: Default::default() }
        }
        _ => ToolCallRecord::Unknown(Value::Null),
    }
}

/// Which content part a delta goes to.
pub(crate) fn content_index(delta: &ContentDelta) -> Option<u64> {
    match delta {
        ContentDelta::Text { index, .. }
        | ContentDelta::Refusal { index, .. }
        | ContentDelta::ImageFile { index, .. }
        | ContentDelta::ImageUrl { index, .. } => Some(*index),
        ContentDelta::Unknown(value) => index_of(value),
        _ => None,
    }
}

/// Which tool call a delta goes to.
pub(crate) fn call_index(delta: &ToolCallDelta) -> Option<u64> {
    match delta {
        ToolCallDelta::Function { index, .. }
        | ToolCallDelta::CodeInterpreter { index, .. }
        | ToolCallDelta::FileSearch { index, .. } => Some(*index),
        ToolCallDelta::Unknown(value) => index_of(value),
        _ => None,
    }
}

fn annotation_index(delta: &AnnotationDelta) -> Option<u64> {
    match delta {
        AnnotationDelta::FileCitation { index, .. } | AnnotationDelta::FilePath { index, .. } => Some(*index),
        AnnotationDelta::Unknown(value) => index_of(value),
        _ => None,
    }
}

fn index_of(entry: &Value) -> Option<u64> {
    entry.get("index")?.as_u64()
}

fn join(sum: &mut String, delta: Option<&str>) {
    sum.push_str(delta.unwrap_or_default());
}

fn join_id(sum: &mut ToolCallId, delta: Option<&ToolCallId>) {
    if let Some(delta) = delta {
        *sum = ToolCallId::new([sum.as_str(), delta.as_str()].concat());
    }
}

fn add(sum: &serde_json::Number, delta: &serde_json::Number) -> serde_json::Number {
    let whole = sum.as_i64().zip(delta.as_i64()).and_then(|(sum, delta)| sum.checked_add(delta));
    let float = || serde_json::Number::from_f64(sum.as_f64()? + delta.as_f64()?);
    whole.map(Into::into).or_else(float).unwrap_or_else(|| sum.clone())
}
