use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A whole answer, summed from the chunks of its stream. Fields that only some hosts send are summed like all others.
#[derive(Debug, Default)]
pub(super) struct Sum {
    whole: Map<String, Value>,
    /// By their `index`.
    choices: BTreeMap<u64, Map<String, Value>>,
}

/// What a part repeats or says once, where other texts are continued.
const SAID_WHOLE: [&str; 5] = ["id", "index", "name", "role", "type"];

impl Sum {
    /// Adds one chunk.
    pub(super) fn add(&mut self, chunk: Value) {
        let Value::Object(chunk) = chunk else { return };
        for (field, value) in chunk {
            match value {
                Value::Array(choices) if field == "choices" => {
                    choices.into_iter().for_each(|choice| self.add_choice(choice));
                }
                // Padding, against those who watch the sizes of pieces.
                _ if field == "obfuscation" || value.is_null() => {}
                value => _ = self.whole.insert(field, value),
            }
        }
    }

    fn add_choice(&mut self, choice: Value) {
        let Value::Object(choice) = choice else { return };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or_default();
        let whole = self.choices.entry(index).or_insert_with(|| {
            let message = json!({ "role": "assistant", "content": null, "refusal": null });
            let fields = [("index", json!(index)), ("message", message), ("logprobs", Value::Null)];
            fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
        });
        for (field, value) in choice {
            let field = if field == "delta" { "message".to_owned() } else { field };
            merge(whole.entry(field).or_insert(Value::Null), value, false);
        }
    }

    /// The answer; `None` if it broke off.
    pub(super) fn whole(mut self) -> Option<Map<String, Value>> {
        let ended = |choice: &Map<String, Value>| choice.get("finish_reason").is_some_and(Value::is_string);
        if self.choices.is_empty() || !self.choices.values().all(ended) {
            return None;
        }
        let choices = self.choices.into_values().map(|mut choice| {
            let calls = choice.get_mut("message").and_then(|message| message.get_mut("tool_calls"));
            // Which part belongs to which call, and nothing of the call itself.
            for call in calls.and_then(Value::as_array_mut).into_iter().flatten() {
                call.as_object_mut().map(|call| call.remove("index"));
            }
            Value::Object(choice)
        });
        self.whole.insert("choices".to_owned(), choices.collect());
        self.whole.insert("object".to_owned(), "chat.completion".into());
        Some(self.whole)
    }
}

/// Continues `into` with `part`.
fn merge(into: &mut Value, part: Value, is_whole: bool) {
    match (into, part) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(part)) => {
            for (field, value) in part {
                let is_whole = SAID_WHOLE.contains(&field.as_str());
                merge(into.entry(field).or_insert(Value::Null), value, is_whole);
            }
        }
        (Value::Array(into), Value::Array(parts)) => {
            for part in parts {
                let index = part.get("index").and_then(Value::as_u64);
                let same =
                    |item: &&mut Value| index.is_some() && item.get("index").and_then(Value::as_u64) == index;
                match into.iter_mut().find(same) {
                    Some(item) => merge(item, part, false),
                    None => into.push(part),
                }
            }
        }
        (Value::String(into), Value::String(part)) if !is_whole => into.push_str(&part),
        (into, part) => *into = part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(chunks: &[Value]) -> Option<Value> {
        let mut sum = Sum::default();
        chunks.iter().cloned().for_each(|chunk| sum.add(chunk));
        sum.whole().map(Value::Object)
    }

    fn chunk(choices: Value) -> Value {
        json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, "usage": null })
    }

    #[test]
    fn chunks_add_up_to_the_answer() {
        let call = |index: u64, id: Value, name: Value, arguments: &str| {
            let function = json!({ "name": name, "arguments": arguments });
            json!({ "index": index, "id": id, "type": "function", "function": function })
        };
        let whole = sum(&[
            chunk(
                json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }]),
            ),
            chunk(json!([
                { "index": 0, "delta": { "content": "Hé", "thought": "a" }, "logprobs": { "content": [{ "token": "Hé" }] } },
                { "index": 1, "delta": { "tool_calls": [call(0, json!("call_a"), json!("f"), "{\"a\"")] } },
            ])),
            chunk(json!([
                { "index": 0, "delta": { "content": "llo", "thought": "b" }, "logprobs": { "content": [{ "token": "llo" }] } },
                { "index": 1, "delta": { "tool_calls": [call(0, json!("call_a"), Value::Null, ":1}"), call(1, json!("call_b"), json!("g"), "{}")] } },
            ])),
            chunk(json!([
                { "index": 0, "delta": {}, "finish_reason": "stop" },
                { "index": 1, "delta": {}, "finish_reason": "tool_calls" },
            ])),
            json!({ "id": "chatcmpl-1", "choices": [], "usage": { "total_tokens": 3 }, "obfuscation": "xyz" }),
        ]);
        let function = |name: &str, arguments: &str| json!({ "name": name, "arguments": arguments });
        assert_eq!(
            whole.unwrap(),
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "model": "m", "usage": { "total_tokens": 3 },
                "choices": [
                    {
                        "index": 0, "finish_reason": "stop",
                        "message": { "role": "assistant", "content": "Héllo", "refusal": null, "thought": "ab" },
                        "logprobs": { "content": [{ "token": "Hé" }, { "token": "llo" }] },
                    },
                    {
                        "index": 1, "finish_reason": "tool_calls", "logprobs": null,
                        "message": { "role": "assistant", "content": null, "refusal": null, "tool_calls": [
                            { "id": "call_a", "type": "function", "function": function("f", "{\"a\":1}") },
                            { "id": "call_b", "type": "function", "function": function("g", "{}") },
                        ] },
                    },
                ],
            })
        );
    }

    #[test]
    fn an_answer_that_broke_off_is_none() {
        let begun = json!([{ "index": 0, "delta": { "content": "x" }, "finish_reason": null }]);
        for chunks in [vec![], vec![chunk(begun)], vec![json!({ "error": {} })], vec![json!(7)]] {
            assert_eq!(sum(&chunks), None);
        }
    }
}
