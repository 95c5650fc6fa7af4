//! What is wrong with a request, in the words of the API (contract: BEHAVIOUR 3.1).

use std::fmt::Display;

use serde_json::{Number, Value};

use super::{
    path::{Path, shown},
    rule::{Array, Form, Others, Rule, Rules},
};
use crate::api_error::ApiError;

pub(super) fn not_json() -> ApiError {
    ApiError::bad_request(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP \
         library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)",
    )
}

pub(super) fn too_deep(most: usize) -> ApiError {
    ApiError::bad_request(format!("The JSON body of your request is nested deeper than {most} levels."))
}

pub(super) fn unreadable(path: &Path<'_>) -> ApiError {
    bad(path, "invalid_value", format!("Invalid value for {}.", subject(path)))
}

pub(super) fn unknown(path: &Path<'_>) -> ApiError {
    bad(path, "unknown_parameter", format!("Unknown parameter: '{path}'."))
}

pub(super) fn duplicate(path: &Path<'_>) -> ApiError {
    bad(path, "invalid_value", format!("Duplicate parameter: '{path}'."))
}

pub(super) fn missing(path: &Path<'_>) -> ApiError {
    bad(path, "missing_required_parameter", format!("Missing required parameter: '{path}'."))
}

pub(super) fn wrong_type(rules: &Rules, rule: &Rule, got: &Value, path: &Path<'_>) -> ApiError {
    let message = format!(
        "Invalid type for {}: expected {}, but got {} instead.",
        subject(path),
        expected(rules, rule),
        kind(got)
    );
    // About the body as a whole, programs are told no more than that it is wrong.
    if path.is_root() { ApiError::bad_request(message) } else { bad(path, "invalid_type", message) }
}

/// 400 for a word that is none of `supported`.
pub(super) fn unsupported_value(path: &str, word: &str, supported: &[&str]) -> ApiError {
    let quoted: Vec<String> = supported.iter().map(|word| format!("'{word}'")).collect();
    let list = listed(&quoted, "and");
    let message = format!("Invalid value: '{}'. Supported values are: {list}.", shown(word));
    ApiError::bad_field(path, "invalid_value", message)
}

/// 400 for an id of another kind than the one that begins with `prefix`.
pub(crate) fn bad_id(path: &str, id: &str, prefix: &str) -> ApiError {
    let prefix = prefix.trim_end_matches(['_', '-']);
    let message = format!("Invalid '{path}': '{}'. Expected an ID that begins with '{prefix}'.", shown(id));
    ApiError::bad_field(path, "invalid_value", message)
}

pub(super) fn bad_name(path: &Path<'_>, pattern: &str) -> ApiError {
    let message = format!(
        "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern}'."
    );
    bad(path, "invalid_value", message)
}

pub(super) fn above_max(path: &Path<'_>, kind: &str, max: impl Display, got: &Number) -> ApiError {
    let message = format!(
        "Invalid '{path}': {kind} above maximum value. Expected a value <= {max}, but got {got} instead."
    );
    bad(path, &format!("{kind}_above_max_value"), message)
}

pub(super) fn below_min(path: &Path<'_>, kind: &str, min: impl Display, got: &Number) -> ApiError {
    let message = format!(
        "Invalid '{path}': {kind} below minimum value. Expected a value >= {min}, but got {got} instead."
    );
    bad(path, &format!("{kind}_below_min_value"), message)
}

pub(super) fn text_too_long(path: &Path<'_>, max: usize, length: usize) -> ApiError {
    let message = format!(
        "Invalid '{path}': string too long. Expected a string with maximum length {max}, but got a string with \
         length {length} instead."
    );
    bad(path, "string_above_max_length", message)
}

pub(super) fn text_too_short(path: &Path<'_>, min: usize, length: usize) -> ApiError {
    let (fault, got, code) = short("string", length);
    let message = format!(
        "Invalid '{path}': {fault}. Expected a string with minimum length {min}, but got {got} instead."
    );
    bad(path, &code, message)
}

pub(super) fn array_too_long(path: &Path<'_>, max: usize, length: usize) -> ApiError {
    let message = format!(
        "Invalid '{path}': array too long. Expected an array with maximum length {max}, but got an array with \
         length {length} instead."
    );
    bad(path, "array_above_max_length", message)
}

pub(super) fn array_too_short(path: &Path<'_>, min: usize, length: usize) -> ApiError {
    let (fault, got, code) = short("array", length);
    let message = format!(
        "Invalid '{path}': {fault}. Expected an array with minimum length {min}, but got {got} instead."
    );
    bad(path, &code, message)
}

/// How something too short is called: by its length, unless it is empty.
fn short(kind: &str, length: usize) -> (String, String, String) {
    let article = if kind == "array" { "an" } else { "a" };
    if length == 0 {
        return (format!("empty {kind}"), format!("an empty {kind}"), format!("empty_{kind}"));
    }
    let got = format!("{article} {kind} with length {length}");
    (format!("{kind} too short"), got, format!("{kind}_below_min_length"))
}

pub(super) fn too_many_fields(path: &Path<'_>, max: usize, count: usize) -> ApiError {
    let message = format!(
        "Invalid '{path}': too many properties. Expected an object with at most {max} properties, but got an \
         object with {count} properties instead."
    );
    bad(path, "object_above_max_properties", message)
}

fn bad(path: &Path<'_>, code: &str, message: String) -> ApiError {
    ApiError::bad_field(&path.to_string(), code, message)
}

fn subject(path: &Path<'_>) -> String {
    if path.is_root() { "the body".to_owned() } else { format!("'{path}'") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// All that a rule takes: `a string`, or `one of a string or array of objects`.
fn expected(rules: &Rules, rule: &Rule) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    kinds.extend(rule.boolean.then_some("a boolean"));
    kinds.extend(rule.text.as_ref().map(|_| "a string"));
    kinds.extend(rule.integer.map(|_| "an integer"));
    kinds.extend(rule.decimal.map(|_| "a decimal"));
    kinds.extend(rule.array.as_ref().map(|array| expected_array(rules, array)));
    kinds.extend(rule.forms.first().map(|form| expected_object(rules, form)));
    match kinds.as_slice() {
        [] => "null".to_owned(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => {
            let mut names = vec![(*first).to_owned()];
            names.extend(rest.iter().map(|kind| kind.split_once(' ').map_or(*kind, |(_, name)| name).into()));
            format!("one of {}", listed(&names, "or"))
        }
    }
}

fn expected_array(rules: &Rules, array: &Array) -> &'static str {
    let item = rules.get(array.item);
    match (item.text.is_some(), item.forms.is_empty()) {
        (true, true) => "an array of strings",
        (false, false) => "an array of objects",
        _ => "an array",
    }
}

fn expected_object(rules: &Rules, form: &Form) -> &'static str {
    match form.others {
        // Names with a text each, bounded in number: the caller's notes.
        Others::Like(rule) if form.max_fields.is_some() && rules.get(rule).decimal.is_none() => {
            "a metadata object"
        }
        _ => "an object",
    }
}

fn listed(names: &[String], last_word: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} {last_word} {two}"),
        [head @ .., last] => format!("{}, {last_word} {last}", head.join(", ")),
    }
}
