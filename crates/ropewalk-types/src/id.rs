use std::{fmt, str::FromStr};

use schemars::JsonSchema;
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

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = concat!("Parsing checks the prefix `", $prefix, "` and nothing else: what stands behind it is opaque.")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
                if text.len() > $prefix.len() && text.starts_with($prefix) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { value: text.to_owned(), prefix: $prefix })
                }
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
    AssistantId "asst_";
    /// Names a [`Thread`](crate::Thread).
    ThreadId "thread_";
    /// Names a [`Message`](crate::Message).
    MessageId "msg_";
    /// Names a [`Run`](crate::Run).
    RunId "run_";
    /// Names a [`RunStep`](crate::RunStep).
    RunStepId "step_";
    /// Joins a tool call and its output.
    ToolCallId "call_";
    /// Names a file.
    FileId "file-";
    /// Names a vector store.
    VectorStoreId "vs_";
    /// Names a model; any text.
    ModelId "";
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
