use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ModelId, ModelWord, UnixSeconds};

/// A model that assistants can be made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// The name to give as `model`.
    pub id: ModelId,
    /// `model`.
    #[serde(default)]
    pub object: ModelWord,
    /// When it was made; some servers do not say.
    #[serde(default)]
    pub created: UnixSeconds,
    /// Who offers it; some servers do not say.
    #[serde(default)]
    pub owned_by: String,
}
