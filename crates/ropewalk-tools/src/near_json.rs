use std::{fmt::Write, mem};

/// Rewrites what models write in place of JSON: single quotes, bare keys, trailing commas, line breaks in strings,
/// Python's words, a code fence around it, closing brackets that are missing or too many.
///
/// It mends form and never guesses a value: text that stops inside a string, a word or a number, or before a value,
/// yields `None`, for half a path or half a sum is worse than no call. So does a wrong bracket. Whatever else is
/// wrong is left in, for the parser to find.
pub(crate) fn mend(text: &str) -> Option<String> {
    let mut rest = unfenced(text).trim_start();
    let mut mended = String::with_capacity(rest.len() + 16);
    let mut open = Vec::new();
    // A comma is held back until it is known not to be the last.
    let mut comma = false;
    let mut complete = false;

    while let Some(first) = rest.chars().next() {
        if mem::take(&mut comma) && !matches!(first, '}' | ']') {
            mended.push(',');
        }
        complete = matches!(first, '}' | ']' | '"' | '\'');
        rest = match first {
            '"' | '\'' => string(rest, &mut mended)?,
            '{' | '[' => {
                open.push(if first == '{' { '}' } else { ']' });
                mended.push(first);
                &rest[1..]
            }
            '}' | ']' => {
                match open.pop() {
                    Some(close) if close == first => mended.push(first),
                    Some(_) => return None,
                    // One too many.
                    None => {}
                }
                &rest[1..]
            }
            ',' => {
                comma = true;
                &rest[1..]
            }
            ':' => {
                mended.push(':');
                &rest[1..]
            }
            _ => word(rest, &mut mended),
        };
        rest = rest.trim_start();
    }
    if !open.is_empty() && !complete {
        return None;
    }
    mended.extend(open.into_iter().rev());
    Some(mended)
}

/// What stands between the lines of a code fence, or all of it.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```") else { return text };
    let inner = inner.split_once('\n').map_or(inner, |(_language, inner)| inner);
    inner.strip_suffix("```").unwrap_or(inner)
}

/// Moves the string at the start of `rest` to `mended`, in double quotes; `None` if it does not end.
fn string<'a>(rest: &'a str, mended: &mut String) -> Option<&'a str> {
    let mut chars = rest.chars();
    let quote = chars.next()?;
    mended.push('"');
    while let Some(char) = chars.next() {
        match char {
            _ if char == quote => {
                mended.push('"');
                return Some(chars.as_str());
            }
            '\\' => match chars.next()? {
                '\'' => mended.push('\''),
                escaped => mended.extend(['\\', escaped]),
            },
            '"' => mended.push_str("\\\""),
            '\0'..' ' => write!(mended, "\\u{:04x}", u32::from(char)).ok()?,
            _ => mended.push(char),
        }
    }
    None
}

/// Moves the word or number at the start of `rest` to `mended`, in quotes if it is a key.
fn word<'a>(rest: &'a str, mended: &mut String) -> &'a str {
    let is_end = |char: char| char.is_whitespace() || "{}[],:\"'".contains(char);
    let (word, rest) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
    let is_plain = word.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | '$'));
    if is_plain && rest.trim_start().starts_with(':') {
        mended.extend(["\"", word, "\""]);
    } else {
        mended.push_str(match word {
            "True" => "true",
            "False" => "false",
            "None" | "undefined" => "null",
            word => word,
        });
        // Words that stood apart stay apart.
        mended.push(' ');
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn mended(text: &str) -> Option<Value> {
        serde_json::from_str(&mend(text)?).ok()
    }

    #[test]
    fn near_json_is_read_as_it_was_meant() {
        for (text, meant) in [
            (r#"{"a": 1,}"#, json!({"a": 1})),
            (r#"{"a": [1, 2,], }"#, json!({"a": [1, 2]})),
            ("{'a': 'b'}", json!({"a": "b"})),
            (r#"{'a': 'it\'s', "b": "it's"}"#, json!({"a": "it's", "b": "it's"})),
            (r#"{'a': 'say "x"'}"#, json!({"a": "say \"x\""})),
            ("{a: 1, b_2 : 'c'}", json!({"a": 1, "b_2": "c"})),
            ("{'a': True, 'b': None, 'True': False}", json!({"a": true, "b": null, "True": false})),
            ("{\"a\": \"two\nlines\"}", json!({"a": "two\nlines"})),
            ("```json\n{\"a\": 1}\n```", json!({"a": 1})),
            (r#"{"a": "x""#, json!({"a": "x"})),
            (r#"{"a": {"b": ["x", {"c": "y"}"#, json!({"a": {"b": ["x", {"c": "y"}]}})),
            (r#"{"a": 1}}"#, json!({"a": 1})),
            (r#"{"a": "\u00e9\\\n"}"#, json!({"a": "é\\\n"})),
        ] {
            assert_eq!(mended(text), Some(meant), "{text}");
        }
    }

    #[test]
    fn what_would_need_a_guess_is_refused() {
        for text in [
            r#"{"path": "/home/al"#,
            r#"{"sum": 10"#,
            r#"{"on": tru"#,
            r#"{"a": "x","#,
            r#"{"a": "x", "b":"#,
            r#"{"a": "x", "b""#,
            r#"{"text": "Hello, "world" again"}"#,
            r#"{"a": [1, 2}"#,
            r#"{"a": 1 2}"#,
            r#"{"a": 5 apples}"#,
            r#"{"a":..."#,
            r#"{"a": 1}{"a": 2}"#,
            "Sure! Here you are.",
            "",
        ] {
            assert_eq!(mended(text), None, "{text}");
        }
    }

    /// Objects of all kinds of values, keys with quotes and backslashes among them.
    fn objects() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
            r#"["'\\,:{}a ]{0,6}"#.prop_map(Value::from),
        ];
        let value = scalar.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(r#"[a"'\\]{0,3}"#, inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        proptest::collection::btree_map("[a-c]{1,2}", value, 0..4)
            .prop_map(|members| Value::Object(Map::from_iter(members)))
    }

    /// Whether `part` is `whole` with nothing but ends of lists and members of objects missing.
    fn is_part(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Array(part), Value::Array(whole)) => {
                part.len() <= whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
            }
            (Value::Object(part), Value::Object(whole)) => {
                part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| is_part(part, whole)))
            }
            (part, whole) => part == whole,
        }
    }

    proptest! {
        #[test]
        fn json_is_left_as_it_is(value in objects()) {
            prop_assert_eq!(mended(&value.to_string()), Some(value.clone()));
            prop_assert_eq!(mended(&format!("{value:#}")), Some(value));
        }

        #[test]
        fn a_cut_never_changes_a_value(value in objects(), cut in any::<prop::sample::Index>()) {
            let text = value.to_string();
            let kept: String = text.chars().take(cut.index(text.chars().count())).collect();
            if let Some(part) = mended(&kept) {
                prop_assert!(is_part(&part, &value), "{part} of {value}");
            }
        }

        #[test]
        fn any_text_is_mended_or_refused(text in r#"([{}\[\],:"'\\]|a|1|True| |\n|é|```){0,40}"#) {
            mended(&text);
        }
    }
}
