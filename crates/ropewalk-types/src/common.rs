use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Notes of the caller on an object: at most 16 pairs, keys up to 64 and values up to 512 characters.
pub type Metadata = BTreeMap<String, String>;

/// A moment in whole seconds since 1970-01-01 UTC, as every time on the wire.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
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
    Word(String),
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
#[non_exhaustive]
pub enum TypedResponseFormat {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// `name`, `description`, `schema` and `strict`, passed to the model as they are.
        json_schema: Map<String, Value>,
    },
}
