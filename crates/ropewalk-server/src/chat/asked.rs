use std::borrow::Cow;

use bytes::Bytes;
use ropewalk_types::{CreateChatCompletion, Metadata};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Keep, members};
use crate::{api_error::ApiError, schema::BodySchema};

/// Most messages of a request that is kept.
const MAX_KEPT_MESSAGES: usize = 2_048;

/// The fields that the server itself reads. What else a host takes is a matter between it and the caller.
#[derive(Debug, Deserialize)]
pub(crate) struct RequestHead {
    model: Option<String>,
    messages: Vec<Value>,
    stream: Option<bool>,
    store: Option<bool>,
    metadata: Option<Metadata>,
}

impl JsonSchema for RequestHead {
    fn schema_name() -> Cow<'static, str> {
        "RequestHead".into()
    }

    /// That of the whole request, without all that is the host's matter.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = CreateChatCompletion::json_schema(generator).to_value();
        let read = ["model", "messages", "stream", "store", "metadata"];
        let mut fields: Map<String, Value> =
            read.map(|field| (field.to_owned(), whole["properties"][field].clone())).into_iter().collect();
        fields.insert("messages".to_owned(), json!({ "type": "array", "minItems": 1 }));
        let mut schema = Schema::default();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), fields.into());
        // An Azure client names the model in the path.
        schema.insert("required".to_owned(), json!(["messages"]));
        schema
    }
}

/// A request, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The body for the model's host, byte for byte but for what is the server's own matter.
    pub(crate) body: Bytes,
    /// Whether the reply is to be a stream.
    pub(crate) streams: bool,
    /// What is kept, if the answer is to be.
    pub(crate) keep: Option<Keep>,
    /// About how many tokens the messages have.
    pub(crate) about_tokens: u64,
}

impl Asked {
    /// Reads a body; `deployment` is the model of a request that names none.
    ///
    /// # Errors
    ///
    /// 400 for what is wrong with the fields that the server reads.
    pub(crate) fn read(
        schema: &BodySchema<RequestHead>,
        body: Bytes,
        deployment: Option<&str>,
    ) -> Result<Self, ApiError> {
        let head = schema.read(&body)?;
        let named = match (&head.model, deployment) {
            (None, None) => {
                let message = "Missing required parameter: 'model'.";
                return Err(ApiError::bad_field("model", "missing_required_parameter", message));
            }
            (Some(_), _) => None,
            (None, deployment) => deployment,
        };
        // A host that keeps answers would mix those of all organisations, and many refuse to be asked at all.
        let body = members::without(body, &["store", "metadata"], named.map(|model| ("model", model)));
        let about_tokens = head.messages.iter().map(text_bytes).sum::<usize>() as u64 / 4;
        let (messages, metadata) = (head.messages, head.metadata.unwrap_or_default());
        let keep = head.store.unwrap_or_default().then_some(Keep { messages, metadata });
        if keep.as_ref().is_some_and(|keep| keep.messages.len() > MAX_KEPT_MESSAGES) {
            let message = format!(
                "Invalid 'messages': array too long. A request with 'store' has at most {MAX_KEPT_MESSAGES} messages."
            );
            return Err(ApiError::bad_field("messages", "array_above_max_length", message));
        }
        Ok(Self { body, streams: head.stream.unwrap_or_default(), keep, about_tokens })
    }
}

/// How much text a message has. Files and pictures that stand in it as text have none.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) if text.starts_with("data:") => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(text_bytes).sum(),
        Value::Object(fields) => fields.values().map(text_bytes).sum(),
        _ => 0,
    }
}
