//! One chunk of a streamed answer, or a whole answer, as servers send it: strict in nothing that can be understood.

use std::{fmt, marker::PhantomData};

use ropewalk_types::Usage;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

/// Strings are read as `String`, since they leave in an event as they are: one allocation for each token. Fields
/// that are not named here, like a reasoning model's thoughts, are skipped without one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chunk {
    #[serde(rename = "choices")]
    pub(crate) choice: First<Choice>,
    pub(crate) usage: Option<WireUsage>,
    pub(crate) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    /// What a stream adds.
    pub(crate) delta: Option<Delta>,
    /// The whole answer, from a server that does not stream.
    pub(crate) message: Option<Delta>,
    pub(crate) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delta {
    pub(crate) content: Lenient,
    pub(crate) refusal: Option<String>,
    pub(crate) tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallDelta {
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) function: Option<FunctionDelta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FunctionDelta {
    pub(crate) name: Option<String>,
    pub(crate) arguments: Lenient,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let (prompt, completion) =
            (usage.prompt_tokens.unwrap_or_default(), usage.completion_tokens.unwrap_or_default());
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: usage.total_tokens.unwrap_or(prompt.saturating_add(completion)),
        }
    }
}

/// The first of a list, with no list made: one answer is asked for, so there is no second.
#[derive(Debug)]
pub(crate) struct First<T>(pub(crate) Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or null")
            }

            fn visit_unit<E: de::Error>(self) -> Result<First<T>, E> {
                Ok(First(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_any(FirstVisitor(PhantomData))
    }
}

/// Text, which some servers send as `null`, as a list of parts (content) or as an object (arguments).
#[derive(Debug, Default)]
pub(crate) struct Lenient(pub(crate) String);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LenientVisitor;

        impl<'de> Visitor<'de> for LenientVisitor {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a list of parts, an object or null")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient(text.to_owned()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Lenient, E> {
                Ok(Lenient::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Lenient, A::Error> {
                let mut all = String::new();
                while let Some(part) = parts.next_element::<Value>()? {
                    all.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
                }
                Ok(Lenient(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Lenient, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(object))
                    .map(|object| Lenient(object.to_string()))
            }
        }

        deserializer.deserialize_any(LenientVisitor)
    }
}
