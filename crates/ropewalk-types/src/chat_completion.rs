use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ChatCompletionChunkWord, ChatCompletionId, ChatCompletionWord, Metadata, ModelId, Order, UnixSeconds,
    Update, common::metadata_schema,
};

/// Asks a model for one answer. It passes through to the model's host as it is, so that only what the server itself
/// reads has a type here; `rest` has the other fields, those of the host's own too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateChatCompletion {
    /// Which model.
    pub model: ModelId,
    /// The conversation so far, oldest first; at least one message.
    pub messages: Vec<Value>,
    /// Whether the reply is a stream of [`ChatCompletionChunk`]s; `false` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Settings of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<ChatStreamOptions>,
    /// Whether the server keeps the answer and the messages, to be listed later; `false` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Notes on an answer that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// All other fields, for the model's host.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl CreateChatCompletion {
    /// Asks `model` to answer these messages, everything else by default.
    pub fn new(model: impl Into<ModelId>, messages: impl IntoIterator<Item = Value>) -> Self {
        Self {
            model: model.into(),
            messages: messages.into_iter().collect(),
            stream: None,
            stream_options: None,
            store: None,
            metadata: None,
            rest: Map::new(),
        }
    }

    /// Sets any other field: `temperature`, `tools`, …
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.rest.insert(field.into(), value.into());
        self
    }

    /// Has the server keep the answer, with these notes.
    #[must_use]
    pub fn store(mut self, metadata: Metadata) -> Self {
        (self.store, self.metadata) = (Some(true), Some(metadata));
        self
    }
}

/// Settings of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatStreamOptions {
    /// Whether a last chunk tells the usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,
    /// All other settings, for the model's host.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A whole answer; `chat.completion` on the wire. The model's host made it, and not every host fills every field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletion {
    /// Mostly starts with `chatcmpl-`; the host makes it.
    pub id: ChatCompletionId,
    /// `chat.completion`.
    #[serde(default)]
    pub object: ChatCompletionWord,
    /// When it was made.
    #[serde(default)]
    pub created: UnixSeconds,
    /// The model that answered.
    pub model: String,
    /// The answers: one, unless the request asked for more by `n`.
    pub choices: Vec<Value>,
    /// What it cost, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// Notes, on an answer that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// All other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ChatCompletion {
    /// The text of the first answer, if it is one.
    pub fn text(&self) -> Option<&str> {
        self.choices.first()?.get("message")?.get("content")?.as_str()
    }
}

/// A part of a streamed answer; `chat.completion.chunk` on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionChunk {
    /// That of the whole answer.
    pub id: ChatCompletionId,
    /// `chat.completion.chunk`.
    #[serde(default)]
    pub object: ChatCompletionChunkWord,
    /// When the answer was begun.
    #[serde(default)]
    pub created: UnixSeconds,
    /// The model that answers.
    pub model: String,
    /// More of each answer, as `delta`; empty in the chunk that tells the usage.
    pub choices: Vec<Value>,
    /// What it cost, in tokens: in the last chunk, if the request asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// All other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A message of the request that a kept answer belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionMessage {
    /// The answer's id, a hyphen and the message's place, from 0.
    pub id: String,
    /// Who said it.
    pub role: String,
    /// Its text; `null` if it came as parts, or has none.
    pub content: Option<String>,
    /// Why the model did not answer.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The texts and images that it came as; `null` if it came as one text.
    #[serde(default)]
    pub content_parts: Option<Vec<Value>>,
    /// All other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ChatCompletionMessage {
    /// The message at `place` of the request that `completion` answers.
    pub fn new(completion: &ChatCompletionId, place: usize, message: &Value) -> Self {
        let mut rest = message.as_object().cloned().unwrap_or_default();
        let mut text = |field: &str| match rest.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (role, refusal) = (text("role").unwrap_or_default(), text("refusal"));
        let (content, content_parts) = match rest.remove("content") {
            Some(Value::String(text)) => (Some(text), None),
            Some(Value::Array(mut parts)) => {
                let is_shown = |part: &Value| matches!(part["type"].as_str(), Some("text" | "image_url"));
                parts.retain(is_shown);
                (None, Some(parts))
            }
            _ => (None, None),
        };
        // What we say ourselves is not said twice.
        rest.retain(|field, _| !["id", "content_parts"].contains(&field.as_str()));
        Self { id: format!("{completion}-{place}"), role, content, refusal, content_parts, rest }
    }
}

/// Changes a kept answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpdateChatCompletion {
    /// The new notes, in place of all old ones. Required.
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Update<Metadata>,
}

impl UpdateChatCompletion {
    /// Replaces the notes.
    pub fn new(metadata: impl Into<Update<Metadata>>) -> Self {
        Self { metadata: metadata.into() }
    }
}

/// Which page of the kept answers, and which of them at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListChatCompletionsQuery {
    /// Only answers of this model, as it calls itself in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only answers with all these notes: `metadata[key]=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata_schema")]
    pub metadata: Option<Metadata>,
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Oldest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "asc"))]
    pub order: Option<Order>,
}

/// Which page of a kept answer's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListChatCompletionMessagesQuery {
    /// Rows behind this id, in list order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most rows, 1 to 100; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("default" = 20))]
    pub limit: Option<i64>,
    /// Oldest first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "asc"))]
    pub order: Option<Order>,
}

/// The shapes of the API reference, all fields of all messages and tools: more than the server itself ever reads.
const SHAPES: &str = include_str!("../schemas/chat_completion.json");

/// The shape of this name; those that it refers to become definitions of `generator`.
fn shape(name: &str, generator: &mut SchemaGenerator) -> Schema {
    let mut shapes: Map<String, Value> = serde_json::from_str(SHAPES).unwrap_or_default();
    let path = generator.settings().definitions_path.trim_matches(['#', '/']).to_owned();
    let mut root = shapes.remove(name).unwrap_or_default();
    let mut wanted = Vec::new();
    refer(&mut root, &path, &mut wanted);
    while let Some(name) = wanted.pop() {
        if let Some(mut shape) = shapes.remove(&name) {
            refer(&mut shape, &path, &mut wanted);
            generator.definitions_mut().entry(name).or_insert(shape);
        }
    }
    root.try_into().unwrap_or_default()
}

/// Turns short references into those of the document, and notes what they refer to.
fn refer(value: &mut Value, path: &str, wanted: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(name) if key == "$ref" => {
                        wanted.push(name.clone());
                        *name = format!("#/{path}/{name}");
                    }
                    value => refer(value, path, wanted),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| refer(value, path, wanted)),
        _ => {}
    }
}

macro_rules! shaped {
    ($($name:ident)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                shape(stringify!($name), generator)
            }
        }
    )*};
}

shaped! { CreateChatCompletion ChatCompletion ChatCompletionChunk ChatCompletionMessage }

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{COMPONENTS, reply_schemas, request_schemas};

    #[test]
    fn a_request_keeps_the_fields_that_it_does_not_know() {
        let wire = json!({
            "model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true,
            "stream_options": {"include_usage": true, "of_the_host": 1}, "top_k": 4, "n": null,
        });
        let request: CreateChatCompletion = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(request.rest, json!({"top_k": 4, "n": null}).as_object().cloned().unwrap());
        assert_eq!(serde_json::to_value(request).unwrap(), wire);
    }

    #[test]
    fn a_kept_message_tells_its_text_from_its_parts() {
        let id = ChatCompletionId::new("chatcmpl-1");
        for (message, kept) in [
            (
                json!({"role": "user", "content": "x", "name": "ann"}),
                json!({"role": "user", "content": "x", "refusal": null, "content_parts": null, "name": "ann"}),
            ),
            (
                json!({"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "file", "file": {}}]}),
                json!({
                    "role": "user", "content": null, "refusal": null,
                    "content_parts": [{"type": "text", "text": "x"}],
                }),
            ),
            (json!(7), json!({"role": "", "content": null, "refusal": null, "content_parts": null})),
        ] {
            let mut kept = kept;
            kept["id"] = "chatcmpl-1-2".into();
            let message = ChatCompletionMessage::new(&id, 2, &message);
            assert_eq!(serde_json::to_value(message).unwrap(), kept);
        }
    }

    /// Every name behind a `$ref`.
    fn references(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(name)) = fields.get("$ref") {
                    names.push(name.strip_prefix(COMPONENTS).unwrap_or(name).to_owned());
                }
                fields.values().for_each(|value| references(value, names));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, names)),
            _ => {}
        }
    }

    #[test]
    fn each_shape_is_whole() {
        for mut generator in [request_schemas(), reply_schemas()] {
            generator.subschema_for::<CreateChatCompletion>();
            generator.subschema_for::<ChatCompletion>();
            generator.subschema_for::<ChatCompletionChunk>();
            generator.subschema_for::<ChatCompletionMessage>();
            let definitions = Value::Object(generator.take_definitions(true));
            let mut named = Vec::new();
            references(&definitions, &mut named);
            assert!(named.iter().all(|name| definitions.get(name).is_some()), "{named:?}");
            let shapes: Map<String, Value> = serde_json::from_str(SHAPES).unwrap();
            assert!(shapes.keys().all(|name| definitions.get(name).is_some()));
            let request = &definitions["CreateChatCompletion"];
            assert_eq!(request["required"], json!(["model", "messages"]));
            assert_eq!(request["properties"]["tool_choice"]["$ref"], format!("{COMPONENTS}ChatToolChoice"));
        }
    }
}
