use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// Facts about a file in a vector store, to filter searches by: at most 16, keys up to 64 characters, texts up to 512.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// One fact about a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Up to 512 characters.
    Text(String),
    /// A number. A whole one travels without a fraction, as it came: there are clients that read it as an integer.
    Number(#[serde(serialize_with = "short")] f64),
    /// Yes or no.
    Boolean(bool),
}

/// Writes a whole number without a fraction, as far as every reader of JSON has it exactly.
fn short<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return serializer.serialize_i64(*number as i64);
    }
    serializer.serialize_f64(*number)
}

/// The schema of a request's `attributes`, with their bounds.
pub(crate) fn attributes_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "maxProperties": 16,
        "propertyNames": { "type": "string", "maxLength": 64 },
        "additionalProperties": {
            "oneOf": [{ "type": "string", "maxLength": 512 }, { "type": "number" }, { "type": "boolean" }]
        }
    })
}

/// Which files a search looks at, by their attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Filter {
    /// All or any of several filters.
    Compound(CompoundFilter),
    /// One attribute compared with a value.
    Comparison(ComparisonFilter),
}

/// All or any of several filters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompoundFilter {
    /// `and` or `or`.
    #[serde(rename = "type")]
    pub kind: Junction,
    /// What is joined; `and` of none holds, `or` of none does not.
    #[schemars(length(max = 100))]
    pub filters: Vec<Filter>,
}

/// How filters are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Junction {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

/// One attribute compared with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparisonFilter {
    /// How it is compared.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "eq"))]
    pub kind: Comparison,
    /// The attribute's name.
    pub key: String,
    /// What it is compared with; a list for `in` and `nin` alone.
    pub value: FilterValue,
}

/// How an attribute is compared. An attribute that is not there differs from every value and is in no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of a list.
    In,
    /// None of a list.
    Nin,
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FilterValue {
    /// One value.
    One(AttributeValue),
    /// A list of texts or numbers.
    Many(#[schemars(length(max = 1000))] Vec<ListedValue>),
}

/// A text or number in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ListedValue {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_out_as_they_came_in() {
        for text in [r#"{"year":2001}"#, r#"{"year":-3}"#, r#"{"year":0.5}"#] {
            let attributes: Attributes = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&attributes).unwrap(), text);
        }
    }
}
