//! Fills the parameters of a function from a text.

use ropewalk_types::Function;
use serde_json::{Map, Value, json};

use super::words;

/// Most calls proposed at once.
const MAX_CALLS: usize = 8;

/// How a function could be called.
#[derive(Debug, PartialEq)]
pub(super) struct Proposal {
    /// How many hints in the text speak for this function.
    pub(super) hints: usize,
    /// The arguments of each call: one call for each value of the first parameter that has several.
    pub(super) calls: Vec<Value>,
}

/// How `text` would call `function`, if it names all that is required. A call that is `forced` takes neutral values
/// for what is missing.
pub(super) fn propose(function: &Function, text: &str, forced: bool) -> Option<Proposal> {
    let empty = Map::new();
    let schema = function.parameters.as_ref();
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object()).unwrap_or(&empty);
    let required: Vec<&str> = schema
        .and_then(|schema| schema.get("required")?.as_array())
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let optional = properties.keys().map(String::as_str).filter(|name| !required.contains(name));

    let mut numbers = words::numbers(text).into_iter();
    let mut hints = usize::from(is_mentioned(&function.name, text));
    let mut calls = vec![Map::new()];
    for name in required.iter().copied().chain(optional) {
        let property = properties.get(name).unwrap_or(&Value::Null);
        let mut values = values(name, property, text, &mut numbers);
        hints += usize::from(!values.is_empty());
        if values.is_empty() && required.contains(&name) {
            values.push(fallback(name, property, text, forced)?);
        }
        values.truncate(if calls.len() == 1 { MAX_CALLS } else { 1 });
        calls = match values.is_empty() {
            true => calls,
            false => spread(&calls, name, &values),
        };
    }
    (hints > 0 || forced).then(|| Proposal { hints, calls: calls.into_iter().map(Value::Object).collect() })
}

/// Whether the text has a longer word of the function's name.
fn is_mentioned(name: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    name.split(['_', '-']).any(|word| word.len() > 3 && text.contains(&word.to_lowercase()))
}

fn spread(calls: &[Map<String, Value>], name: &str, values: &[Value]) -> Vec<Map<String, Value>> {
    let with = |call: &Map<String, Value>, value: &Value| {
        let mut call = call.clone();
        call.insert(name.to_owned(), value.clone());
        call
    };
    calls.iter().flat_map(|call| values.iter().map(move |value| with(call, value))).collect()
}

/// What the text says about a parameter.
fn values(name: &str, schema: &Value, text: &str, numbers: &mut impl Iterator<Item = f64>) -> Vec<Value> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let text = text.to_lowercase();
        let is_said = |word: &&Value| word.as_str().is_some_and(|word| text.contains(&word.to_lowercase()));
        return words.iter().filter(is_said).take(1).cloned().collect();
    }
    match kind(schema) {
        "integer" => numbers.next().map(|number| json!(number as i64)).into_iter().collect(),
        "number" => numbers.next().map(Value::from).into_iter().collect(),
        "string" => strings(name, schema, text).into_iter().map(Value::from).collect(),
        "array" => {
            let items = strings(name, schema, text);
            if items.is_empty() { Vec::new() } else { vec![json!(items)] }
        }
        _ => Vec::new(),
    }
}

fn strings(name: &str, schema: &Value, text: &str) -> Vec<String> {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let about = format!("{name} {description}").to_lowercase();
    let speaks_of = |any: &[&str]| any.iter().any(|word| about.contains(word));
    if speaks_of(&["ticker", "symbol"]) {
        words::tickers(text)
    } else if speaks_of(&["city", "location", "place", "town"]) {
        words::places(text)
    } else {
        words::quoted(text)
    }
}

/// What a required parameter is given that the text says nothing about.
fn fallback(name: &str, schema: &Value, text: &str, forced: bool) -> Option<Value> {
    const FREE_TEXT: [&str; 6] = ["query", "question", "prompt", "text", "message", "input"];
    if let Some(value) = schema.get("default").or(schema.get("const")) {
        return Some(value.clone());
    }
    if kinds(schema).any(|kind| kind == "null") {
        return Some(Value::Null);
    }
    match kind(schema) {
        "string" if schema.get("enum").is_none() && (forced || FREE_TEXT.contains(&name)) => {
            Some(json!(text))
        }
        _ if !forced => None,
        "integer" | "number" => Some(json!(0)),
        "boolean" => Some(json!(false)),
        "array" => Some(json!([])),
        "object" => Some(json!({})),
        _ => Some(schema.get("enum").and_then(|words| words.get(0)).cloned().unwrap_or_default()),
    }
}

fn kind(schema: &Value) -> &str {
    kinds(schema).find(|kind| *kind != "null").unwrap_or_default()
}

/// The type of a schema, or each of its types.
fn kinds(schema: &Value) -> impl Iterator<Item = &str> {
    let kind = schema.get("type");
    let list = kind.and_then(Value::as_array).into_iter().flatten();
    kind.into_iter().filter(|kind| kind.is_string()).chain(list).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(parameters: Value, text: &str) -> Option<Vec<Value>> {
        let function = Function::new("find_rope").parameters(parameters);
        propose(&function, text, false).map(|proposal| proposal.calls)
    }

    #[test]
    fn required_parameters_are_filled_from_the_text_or_nothing_is_called() {
        let schema = json!({
            "properties": {
                "symbol": {"type": "string"},
                "city": {"type": ["string", "null"]},
                "count": {"type": "integer"},
                "unit": {"type": "string", "enum": ["metres", "feet"]},
                "note": {"type": "string"},
            },
            "required": ["symbol", "city", "count", "unit"],
        });
        assert_eq!(
            proposed(schema.clone(), r#"In Oslo, 12 feet for HEMP, "quickly""#),
            Some(vec![
                json!({"symbol": "HEMP", "city": "Oslo", "count": 12, "unit": "feet", "note": "quickly"})
            ])
        );
        assert_eq!(
            proposed(schema.clone(), "12 feet for HEMP"),
            Some(vec![json!({"symbol": "HEMP", "city": null, "count": 12, "unit": "feet"})])
        );
        assert_eq!(proposed(schema, "12 yards for HEMP"), None);
    }

    #[test]
    fn several_values_are_several_calls_or_one_list() {
        let one = json!({"properties": {"ticker": {"type": "string"}}, "required": ["ticker"]});
        let calls = vec![json!({"ticker": "AAPL"}), json!({"ticker": "MSFT"})];
        assert_eq!(proposed(one, "AAPL and MSFT"), Some(calls));
        let list = json!({"properties": {"tickers": {"type": "array"}}, "required": ["tickers"]});
        assert_eq!(proposed(list, "AAPL and MSFT"), Some(vec![json!({"tickers": ["AAPL", "MSFT"]})]));
    }

    #[test]
    fn a_function_without_a_hint_is_left_alone_unless_forced() {
        let free = json!({"properties": {"query": {"type": "string"}}, "required": ["query"]});
        assert_eq!(proposed(free.clone(), "hello"), None);
        assert_eq!(proposed(free, "any rope?"), Some(vec![json!({"query": "any rope?"})]));
        assert_eq!(proposed(Value::Null, "hello"), None);
        let schema = json!({
            "properties": {"n": {"type": "number"}, "b": {"type": "boolean"}, "e": {"enum": ["x"]}},
            "required": ["n", "b", "e"],
        });
        let forced = propose(&Function::new("f").parameters(schema), "hello", true).unwrap();
        assert_eq!(forced.calls, [json!({"n": 0, "b": false, "e": "x"})]);
    }
}
