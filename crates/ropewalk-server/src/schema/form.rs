//! Query strings and form fields to JSON: `limit=5`, `include[]=a`, `metadata[key]=value`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    fault,
    path::Path,
    rule::{Form, Node, Others, Rule, Rules},
};
use crate::api_error::ApiError;

/// Makes an object of `pairs`. A text becomes what its rule asks for where it can; the check says what is wrong
/// with the rest.
pub(super) fn value<'a>(
    rules: &Rules,
    pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
) -> Result<Value, ApiError> {
    let mut object = Map::new();
    // An endpoint without fields has none to read.
    let Some(form) = rules.get(rules.root).forms.first() else { return Ok(Value::Null) };
    for (key, text) in pairs {
        let (name, inner) = split(&key);
        put(rules, form, &mut object, (name, &inner), &text, &Path::ROOT)?;
    }
    Ok(Value::Object(object))
}

/// `a[b][c]` as `a`, and `b` and `c` inside of it.
fn split(key: &str) -> (&str, Vec<&str>) {
    let parts = key.strip_suffix(']').and_then(|key| key.split_once('['));
    parts.map_or((key, Vec::new()), |(name, inner)| (name, inner.split("][").collect()))
}

/// Puts a text where its key says. It goes no deeper than the rules do: where they expect no object, an empty one is
/// wrong enough for the check.
fn put(
    rules: &Rules,
    form: &Form,
    object: &mut Map<String, Value>,
    (name, inner): (&str, &[&str]),
    text: &str,
    path: &Path<'_>,
) -> Result<(), ApiError> {
    // A list is named `include[]`; `include` and `include[0]` mean it too.
    let list = form.fields.iter().find(|field| field.name.strip_suffix("[]") == Some(name));
    let name = list.map_or(name, |list| &list.name);
    let path = path.field(name);
    let Some(rule) = field(form, name).map(|node| rules.get(node)) else {
        if form.others == Others::Refused {
            object.insert(name.to_owned(), Value::Null);
        }
        return Ok(());
    };
    match (&rule.array, inner) {
        (Some(array), [] | [_]) => {
            let item = scalar(rules.get(array.item), text);
            match object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(items) => items.push(item),
                _ => return Err(fault::duplicate(&path)),
            }
        }
        (_, [first, rest @ ..]) => {
            match (object.entry(name).or_insert_with(|| Value::Object(Map::new())), rule.forms.first()) {
                (Value::Object(fields), Some(form)) => {
                    put(rules, form, fields, (first, rest), text, &path)?;
                }
                (Value::Object(_), None) => {}
                _ => return Err(fault::duplicate(&path)),
            }
        }
        (None, []) => {
            if object.insert(name.to_owned(), scalar(rule, text)).is_some() {
                return Err(fault::duplicate(&path));
            }
        }
    }
    Ok(())
}

fn field(form: &Form, name: &str) -> Option<Node> {
    form.field(name).map(|field| field.rule).or(match form.others {
        Others::Like(rule) => Some(rule),
        Others::Refused | Others::Ignored => None,
    })
}

fn scalar(rule: &Rule, text: &str) -> Value {
    let number = || {
        let integer = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
        let decimal = rule.decimal.is_some().then(|| text.parse::<f64>().ok().map(Value::from)).flatten();
        integer.ok().or(decimal)
    };
    let typed = match text {
        _ if rule.any || rule.text.is_some() => None,
        "true" if rule.boolean => Some(true.into()),
        "false" if rule.boolean => Some(false.into()),
        _ if rule.integer.is_some() || rule.decimal.is_some() => number(),
        _ => None,
    };
    typed.unwrap_or_else(|| text.into())
}
