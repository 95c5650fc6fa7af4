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
        let (name, inner) = split(form, &key);
        let rule = field(form, name).map(|node| rules.get(node));
        match (rule, inner) {
            (Some(rule), _) if let Some(array) = &rule.array => {
                let item = scalar(rules.get(array.item), &text);
                match object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(items) => items.push(item),
                    _ => return Err(fault::duplicate(&Path::ROOT.field(name))),
                }
            }
            (Some(rule), Some(inner)) if let Some(form) = rule.forms.first() => {
                let value = field(form, inner)
                    .map_or_else(|| text.clone().into(), |node| scalar(rules.get(node), &text));
                let fields = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
                let twice = fields
                    .as_object_mut()
                    .is_none_or(|fields| fields.insert(inner.to_owned(), value).is_some());
                if twice {
                    return Err(fault::duplicate(&Path::ROOT.field(name).field(inner)));
                }
            }
            (rule, _) => {
                let value = rule.map_or_else(|| text.clone().into(), |rule| scalar(rule, &text));
                if object.insert(key.to_string(), value).is_some() && rule.is_some() {
                    return Err(fault::duplicate(&Path::ROOT.field(name)));
                }
            }
        }
    }
    Ok(Value::Object(object))
}

/// `metadata[key]` as `metadata` and `key`. A list is named `include[]`; `include` and `include[0]` mean it too.
fn split<'a>(form: &'a Form, key: &'a str) -> (&'a str, Option<&'a str>) {
    let parts = key.strip_suffix(']').and_then(|key| key.split_once('['));
    let (name, inner) = parts.map_or((key, None), |(name, inner)| (name, Some(inner)));
    let list = |field: &&super::rule::Field| field.name.strip_suffix("[]") == Some(name);
    form.fields.iter().find(list).map_or((name, inner), |list| (&list.name, inner))
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
