use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where new ids come from: time and randomness on a server, a counter in a simulation.
pub trait IdSource: Send + Sync {
    /// The part of a new id behind its prefix; never the same twice.
    fn body(&self) -> String;
}

/// What all id types share.
pub trait Id: Sized + Clone + fmt::Display + FromStr<Err = IdError> {
    /// What every id of this kind begins with, its separator included: `thread_`.
    const PREFIX: &'static str;

    /// A new id.
    fn mint(source: &dyn IdSource) -> Self;
}

/// Text that cannot be an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not an id that begins with `{prefix}`")]
pub struct IdError {
    /// The text that was given.
    pub value: String,
    /// What such an id begins with.
    pub prefix: &'static str,
}

/// What can be an id that begins with `prefix`.
fn id_schema(prefix: &str) -> Schema {
    let mut schema = json_schema!({ "type": "string", "minLength": 1 });
    if !prefix.is_empty() {
        schema.insert("pattern".to_owned(), format!("^{prefix}").into());
    }
    schema
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal, parses $accepted:literal;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = concat!("Parsing checks the prefix `", $accepted, "` and nothing else: what stands behind it is opaque.")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as it is, with no check: for ids that another server made.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn mint(source: &dyn IdSource) -> Self {
                Self(format!(concat!($prefix, "{}"), source.body()))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() > $accepted.len() && text.starts_with($accepted) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { value: text.to_owned(), prefix: $accepted })
                }
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                id_schema($accepted)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

ids! {
    /// Names an [`Assistant`](crate::Assistant).
    AssistantId "asst_", parses "asst_";
    /// Names a [`Thread`](crate::Thread).
    ThreadId "thread_", parses "thread_";
    /// Names a [`Message`](crate::Message).
    MessageId "msg_", parses "msg_";
    /// Names a [`Run`](crate::Run).
    RunId "run_", parses "run_";
    /// Names a [`RunStep`](crate::RunStep).
    RunStepId "step_", parses "step_";
    /// Joins a tool call and its output. The model's host makes it: any text.
    ToolCallId "call_", parses "";
    /// Names a file. Azure's begin with `assistant-`, and stay valid after an import.
    FileId "file-", parses "";
    /// Names an upload.
    UploadId "upload_", parses "upload_";
    /// Names a part of an upload.
    UploadPartId "part_", parses "part_";
    /// Names a vector store.
    VectorStoreId "vs_", parses "vs_";
    /// Names a batch of files that go into a vector store together.
    VectorStoreFileBatchId "vsfb_", parses "vsfb_";
    /// Names a chat completion. The model's host makes it: any text.
    ChatCompletionId "chatcmpl-", parses "";
    /// Names a model; any text.
    ModelId "", parses "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_checked_for_its_prefix_alone() {
        assert_eq!("thread_x".parse::<ThreadId>().unwrap().as_str(), "thread_x");
        for wrong in ["", "thread_", "undefined", "run_x"] {
            assert_eq!(wrong.parse::<ThreadId>().unwrap_err().prefix, "thread_");
        }
        assert_eq!("gpt-4o".parse::<ModelId>().unwrap().as_str(), "gpt-4o");
    }
}
