use serde_json::{Value, json};

use crate::SchemaError;

/// The keywords of strict form.
const KEYWORDS: [&str; 22] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "required",
    "type",
];

/// Checks that `schema` is one of an object, in strict form.
///
/// # Errors
///
/// The first part that is not.
pub(crate) fn check_strict(schema: &Value) -> Result<(), SchemaError> {
    if schema.get("type") != Some(&json!("object")) {
        return Err(error("#", "is no object: wrap it in a struct"));
    }
    check(schema, "#")
}

/// Checks the part of the schema at `path`.
fn check(schema: &Value, path: &str) -> Result<(), SchemaError> {
    const ANY: &str = "admits any value: give it a type";
    let Some(members) = schema.as_object() else { return Err(error(path, ANY)) };
    let has = |keyword| members.contains_key(keyword);
    let is_type = |name: &str| {
        members
            .get("type")
            .is_some_and(|ty| ty == name || ty.as_array().is_some_and(|ty| ty.contains(&json!(name))))
    };

    if has("prefixItems") {
        return Err(error(path, "is a tuple: use a struct"));
    }
    if let Some(keyword) = members.keys().find(|keyword| !KEYWORDS.contains(&keyword.as_str())) {
        return Err(error(path, format!("uses `{keyword}`, which strict form has not")));
    }
    if !["type", "anyOf", "enum", "const", "$ref"].into_iter().any(has) || (is_type("array") && !has("items"))
    {
        return Err(error(path, ANY));
    }
    if is_type("object") {
        if has("anyOf") {
            return Err(error(path, "is an object and a choice at once: do not flatten an enum into it"));
        }
        if members.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(error(path, "has keys of any name: use a list of structs for a map"));
        }
        let required = members.get("required").and_then(Value::as_array);
        let is_required = |name| required.is_some_and(|names| names.iter().any(|other| other == name));
        let properties = members.get("properties").and_then(Value::as_object);
        if let Some(name) = properties.into_iter().flat_map(|all| all.keys()).find(|name| !is_required(*name))
        {
            return Err(error(path, format!("does not require `{name}`: make it required and nullable")));
        }
    }

    for keyword in ["properties", "$defs"] {
        for (name, part) in members.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            check(part, &format!("{path}/{keyword}/{name}"))?;
        }
    }
    for (index, part) in members.get("anyOf").and_then(Value::as_array).into_iter().flatten().enumerate() {
        check(part, &format!("{path}/anyOf/{index}"))?;
    }
    members.get("items").map_or(Ok(()), |items| check(items, &format!("{path}/items")))
}

fn error(path: &str, reason: impl Into<String>) -> SchemaError {
    SchemaError { path: path.to_owned(), reason: reason.into() }
}
