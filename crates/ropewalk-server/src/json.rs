//! Reading JSON and query strings, and saying what is wrong with them in the API's own words (contract:
//! BEHAVIOUR 3.1).

use serde::de::DeserializeOwned;

use crate::api_error::ApiError;

/// Reads a JSON body.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would take an array for an object, its fields by position.
    if body.trim_ascii_start().starts_with(b"[") {
        let message = "Invalid type for the body: expected an object, but got an array instead.";
        return Err(ApiError::bad_request(message));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| explain("", &error))?;
    Ok(value)
}

/// Reads a query string.
pub(crate) fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = serde_urlencoded::Deserializer::new(form_pairs(query));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        explain_text(&path, &error.inner().to_string())
    })
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

fn explain(path: &str, error: &serde_json::Error) -> ApiError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => explain_text(path, &error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => ApiError::bad_request(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
             HTTP library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)",
        ),
    }
}

/// Turns serde's account of a mismatch into the API's.
fn explain_text(path: &str, text: &str) -> ApiError {
    let path = if path == "." { "" } else { path };
    // serde_json ends its texts with the place in the bytes, which helps nobody here.
    let text = text.split(" at line ").next().unwrap_or(text);
    let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    if let Some(field) = quoted_after(text, "unknown field ") {
        // The path ends with the unknown field already when serde was inside it.
        let param = if path.ends_with(field) { path.to_owned() } else { below(field) };
        let message = format!("Unknown parameter: '{param}'.");
        return ApiError::bad_field(&param, "unknown_parameter", message);
    }
    if let Some(field) = quoted_after(text, "missing field ") {
        let param = below(field);
        let message = format!("Missing required parameter: '{param}'.");
        return ApiError::bad_field(&param, "missing_required_parameter", message);
    }
    if let Some(field) = quoted_after(text, "duplicate field ") {
        let param = below(field);
        let message = format!("Duplicate parameter: '{param}'.");
        return ApiError::bad_field(&param, "invalid_value", message);
    }
    if let Some(word) = quoted_after(text, "unknown variant ") {
        let supported: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
        return unsupported_value(path, word, &supported);
    }
    if let Some((got, expected)) =
        text.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let got = kind_of(got);
        let message = format!(
            "Invalid type for '{path}': expected {}, but got {got} instead.",
            expectation(path, expected)
        );
        return ApiError::bad_field(path, "invalid_type", message);
    }
    if text.contains("did not match any variant") {
        let message = format!("Invalid type for '{path}': the value has none of the forms that fit here.");
        return ApiError::bad_field(path, "invalid_type", message);
    }
    if text.contains("invalid digit") || text.contains("number too") || text.contains("cannot parse integer")
    {
        let message =
            format!("Invalid type for '{path}': expected an integer, but got something else instead.");
        return ApiError::bad_field(path, "invalid_type", message);
    }
    ApiError::bad_field(path, "invalid_value", format!("Invalid value for '{path}': {text}."))
}

/// 400 for a word that is none of `supported`.
pub(crate) fn unsupported_value(path: &str, word: &str, supported: &[&str]) -> ApiError {
    let quoted: Vec<String> = supported.iter().map(|word| format!("'{word}'")).collect();
    let list = match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [head @ .., last] => format!("{}, and {last}", head.join(", ")),
    };
    let message = format!("Invalid value: '{word}'. Supported values are: {list}.");
    ApiError::bad_field(path, "invalid_value", message)
}

fn quoted_after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let quoted = text.strip_prefix(prefix)?.strip_prefix('`')?;
    quoted.split("`, expected").next()?.split("`, there are").next().map(|name| name.trim_end_matches('`'))
}

/// What was given, in the API's words: serde says `string "x"`, `map`, `sequence`, `integer `5``.
fn kind_of(got: &str) -> &'static str {
    match got.split([' ', '`']).next().unwrap_or_default() {
        "string" => "a string",
        "map" => "an object",
        "sequence" => "an array",
        "integer" => "an integer",
        "floating" => "a decimal",
        "boolean" => "a boolean",
        "null" | "unit" | "Option" => "null",
        _ => "an unsupported type",
    }
}

/// What was expected, in the API's words: serde says `a string`, `u32`, `a map`, `struct CreateThread`.
fn expectation<'a>(path: &str, expected: &'a str) -> &'a str {
    match expected {
        "a map" if path.ends_with("metadata") => "a metadata object",
        "u32" | "u64" | "i64" => "an integer",
        "f64" => "a decimal",
        "a map" => "an object",
        "a sequence" => "an array",
        "string" | "str" => "a string",
        text if text.starts_with("struct ") || text.contains("enum ") => "an object",
        text => text,
    }
}
