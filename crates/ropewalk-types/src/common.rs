use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Notes of the caller on an object: at most 16 pairs, keys up to 64 and values up to 512 characters.
pub type Metadata = BTreeMap<String, String>;

/// The schema of a field of type [`Metadata`]: a type alias cannot carry its bounds.
pub(crate) fn metadata_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "maxProperties": 16,
        "propertyNames": { "type": "string", "maxLength": 64 },
        "additionalProperties": { "type": "string", "maxLength": 512 }
    })
}

/// A moment in whole seconds since 1970-01-01 UTC, as every time on the wire.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(inline)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// The moment `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// The form that the model's answer must have: the word `auto`, or an object that says more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// An object with a `type`.
    Typed(TypedResponseFormat),
    /// `auto`, or a word newer than this crate.
    Word(#[schemars(extend("enum" = ["auto"]))] String),
}

impl ResponseFormat {
    /// The default: the model decides.
    pub fn auto() -> Self {
        Self::Word("auto".to_owned())
    }
}

/// A response format that is an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub enum TypedResponseFormat {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// `name`, `description`, `schema` and `strict`, passed to the model as they are.
        #[schemars(with = "AnswerSchema")]
        json_schema: Map<String, Value>,
    },
}

/// What `json_schema` of a [`TypedResponseFormat`] holds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "stands for its schema alone")]
struct AnswerSchema {
    /// Up to 64 characters of `a-z A-Z 0-9 _ -`.
    #[schemars(length(max = 64), regex(pattern = "^[a-zA-Z0-9_-]+$"))]
    name: String,
    /// What the form is for.
    #[schemars(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// A JSON schema.
    #[schemars(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Map<String, Value>>,
    /// Whether the model is held to the schema exactly.
    #[schemars(default, skip_serializing_if = "Option::is_none", extend("default" = false))]
    strict: Option<bool>,
}
