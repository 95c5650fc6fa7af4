use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field of a modify request: absent, `null`, or a new value.
///
/// Needs `#[serde(default, skip_serializing_if = "Update::is_keep")]` on the field, so that an absent key
/// stays absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Update<T> {
    /// The key is absent: leave the value as it is.
    #[default]
    Keep,
    /// The key is `null`: clear the value.
    Clear,
    /// The key has a value: replace the old one.
    Set(T),
}

impl<T> Update<T> {
    /// Whether the field is left as it is.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Changes `target` as this update says.
    pub fn apply(self, target: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *target = None,
            Self::Set(value) => *target = Some(value),
        }
    }

    /// Changes `target`, which has no empty state, so that `null` means its default.
    pub fn apply_or_default(self, target: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *target = T::default(),
            Self::Set(value) => *target = value,
        }
    }

    /// The new value, if there is one.
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl<T> From<T> for Update<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl<T: Serialize> Serialize for Update<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Update<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            None => Self::Clear,
            Some(value) => Self::Set(value),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Update<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Patch {
        #[serde(default, skip_serializing_if = "Update::is_keep")]
        name: Update<String>,
    }

    #[test]
    fn absent_null_and_value_are_three_things() {
        for (wire, update) in [
            (json!({}), Update::Keep),
            (json!({ "name": null }), Update::Clear),
            (json!({ "name": "a" }), Update::Set("a".to_owned())),
        ] {
            let patch: Patch = serde_json::from_value(wire.clone()).unwrap();
            assert_eq!(patch, Patch { name: update });
            assert_eq!(serde_json::to_value(patch).unwrap(), wire);
        }
    }
}
