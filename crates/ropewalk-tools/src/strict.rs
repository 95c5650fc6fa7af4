use std::mem;

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use crate::{SchemaError, strict_check::check_strict};

/// Keywords that say nothing a model is held to, or that strict form rejects and serde does without.
const DROPPED: [&str; 10] = [
    "$comment",
    "$schema",
    "default",
    "deprecated",
    "examples",
    "format",
    "readOnly",
    "title",
    "uniqueItems",
    "writeOnly",
];

/// The schema of `T` in the strict form that models are held to.
///
/// Every object is closed and requires all its properties; what is optional in Rust is nullable here. Types are
/// written out in place, but for recursive ones, which keep `$defs`. Enums are `anyOf`, and what strict form has no
/// word for is dropped: defaults, formats, titles.
///
/// It serves the arguments of tools and the `json_schema` of a response format alike.
///
/// # Errors
///
/// [`SchemaError`] if strict form cannot express `T`: maps, tuples, [`Value`]s, flattened enums and maps, and roots
/// that are no struct.
///
/// # Source
///
/// "Supported schemas" in the guide to structured outputs.
///
/// ```
/// #[derive(schemars::JsonSchema)]
/// struct Page {
///     /// Most results.
///     limit: Option<u32>,
/// }
///
/// assert_eq!(
///     ropewalk_tools::strict_schema::<Page>()?,
///     serde_json::json!({
///         "type": "object",
///         "properties": {
///             "limit": { "type": ["integer", "null"], "description": "Most results.", "minimum": 0 }
///         },
///         "required": ["limit"],
///         "additionalProperties": false,
///     })
/// );
/// # Ok::<(), ropewalk_tools::SchemaError>(())
/// ```
pub fn strict_schema<T: JsonSchema + ?Sized>() -> Result<Value, SchemaError> {
    let schema = strict_form::<T>();
    check_strict(&schema)?;
    Ok(schema)
}

/// The schema of `T`, strict as far as it goes.
pub(crate) fn strict_form<T: JsonSchema + ?Sized>() -> Value {
    let mut schema = generator().into_root_schema_for::<T>();
    Strict.transform(&mut schema);
    schema.to_value()
}

/// A generator that writes types out in place.
pub(crate) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        })
        .into_generator()
}

/// Whether `null` is valid by `schema`.
pub(crate) fn admits_null(schema: &Value) -> bool {
    let has = |keyword, wanted: &Value| {
        schema.get(keyword).is_some_and(|value| match value {
            Value::Array(values) => values.contains(wanted),
            value => value == wanted,
        })
    };
    has("type", &json!("null"))
        || has("enum", &Value::Null)
        || has("const", &Value::Null)
        || schema.get("anyOf").and_then(Value::as_array).is_some_and(|any| any.iter().any(admits_null))
}

/// Brings a schema into strict form; what has none is left for [`check_strict`] to find.
pub(crate) struct Strict;

impl Transform for Strict {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(schema) = schema.as_object_mut() else { return };

        schema.retain(|keyword, _| !DROPPED.contains(&keyword.as_str()));
        if !schema.contains_key("anyOf")
            && let Some(branches) = schema.remove("oneOf")
        {
            schema.insert("anyOf".to_owned(), branches);
        }
        if schema.get("type") == Some(&json!(["object", "null"])) {
            schema.insert("type".to_owned(), json!("object"));
            close(schema);
            make_nullable(schema);
        } else if schema.get("type") == Some(&json!("object")) {
            close(schema);
        } else if schema.contains_key("$ref") && schema.contains_key("description") {
            // A `$ref` stands alone in strict form.
            into_any_of(schema, []);
        }
    }
}

/// Requires all properties, nullable if they were not required, and forbids others.
fn close(schema: &mut Map<String, Value>) {
    let required = schema.remove("required").unwrap_or_default();
    let is_required = |name| required.as_array().is_some_and(|names| names.iter().any(|other| other == name));

    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    for (name, property) in properties.iter_mut() {
        if !is_required(name)
            && !admits_null(property)
            && let Some(property) = property.as_object_mut()
        {
            make_nullable(property);
        }
    }
    let names = properties.keys().map(String::as_str).collect();
    schema.insert("required".to_owned(), names);
    schema.entry("additionalProperties").or_insert(Value::Bool(false));
    if schema.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
        schema.remove("unevaluatedProperties");
    }
}

/// Admits `null` beside what `schema` admits.
fn make_nullable(schema: &mut Map<String, Value>) {
    let null = json!({"type": "null"});
    match schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(branches) => branches.push(null),
        None => into_any_of(schema, [null]),
    }
}

/// Moves `schema` into an `anyOf` with `others`; its description stays outside.
fn into_any_of<const N: usize>(schema: &mut Map<String, Value>, others: [Value; N]) {
    let description = schema.remove_entry("description");
    let branches = [Value::Object(mem::take(schema))].into_iter().chain(others).collect();
    schema.insert("anyOf".to_owned(), branches);
    schema.extend(description);
}
