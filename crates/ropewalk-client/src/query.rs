use serde::Serialize;
use serde_json::Value;

/// Writes a query string as the server reads it.
pub(crate) fn query_string(query: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut written = form_urlencoded::Serializer::new(String::new());
    Ok(written.extend_pairs(pairs(query)?).finish())
}

/// The fields of a query or a form: a list as `include[]=a&include[]=b`, a map as `metadata[key]=value`.
pub(crate) fn pairs(fields: &impl Serialize) -> Result<Vec<(String, String)>, serde_json::Error> {
    let mut pairs = Vec::new();
    let Value::Object(fields) = serde_json::to_value(fields)? else { return Ok(pairs) };
    for (name, value) in fields {
        match value {
            Value::Array(items) => {
                let name = format!("{}[]", name.trim_end_matches("[]"));
                pairs.extend(items.iter().filter_map(|item| Some((name.clone(), text(item)?))));
            }
            Value::Object(fields) => {
                pairs.extend(
                    fields.iter().filter_map(|(key, item)| Some((format!("{name}[{key}]"), text(item)?))),
                );
            }
            value => pairs.extend(text(&value).map(|text| (name, text))),
        }
    }
    Ok(pairs)
}

/// A value in words; an absent one has none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_maps_are_written_in_brackets() {
        let query = json!({
            "after": null,
            "include[]": ["a[*].b", "c"],
            "limit": 5,
            "metadata": { "user id": "x&y" },
        });
        assert_eq!(
            query_string(&query).unwrap(),
            "include%5B%5D=a%5B*%5D.b&include%5B%5D=c&limit=5&metadata%5Buser+id%5D=x%26y"
        );
        assert_eq!(query_string(&()).unwrap(), "");
    }
}
