use std::error::Error;

/// Any error, as tools may return it.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a tool has no answer.
///
/// Its text is shown to the model, its `source()` is not: keep paths, keys and queries out of the first line.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ToolError(BoxError);

impl ToolError {
    /// Wraps a text or any error; a `ToolError` stays what it is.
    pub fn new(error: impl Into<BoxError>) -> Self {
        match error.into().downcast() {
            Ok(same) => *same,
            Err(other) => Self(other),
        }
    }

    /// What was wrapped, to tell errors apart by downcasting.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl From<&str> for ToolError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ToolError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// A schema that has no strict form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {reason}")]
#[non_exhaustive]
pub struct SchemaError {
    /// The offending part of the schema: `#/properties/tags`.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a registry does not take a tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The API would not take its name.
    #[error("`{0}` is no name for a tool: use 1 to 64 characters of `a-z A-Z 0-9 _ -`")]
    Name(String),
    /// The registry has one of that name already.
    #[error("there is a tool named `{0}` already")]
    Duplicate(String),
    /// The API would not take its description.
    #[error("the description of `{tool}` has {characters} characters, 1024 at most")]
    Description {
        /// Which tool.
        tool: String,
        /// How long the description is.
        characters: usize,
    },
    /// The definition says `strict`, its schema is not.
    #[error("the parameters of `{tool}` have no strict form")]
    NotStrict {
        /// Which tool.
        tool: String,
        /// Where and why.
        #[source]
        source: SchemaError,
    },
    /// Its parameters are no JSON schema.
    #[error("the parameters of `{tool}` are no JSON schema")]
    Schema {
        /// Which tool.
        tool: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
}
