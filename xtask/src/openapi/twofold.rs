//! Names that mean one shape in requests and another in replies.

use std::collections::BTreeSet;

use ropewalk_types::COMPONENTS;
use serde_json::Value;

use super::Schemas;

/// The names that mean one shape in requests and another in replies, or refer to such a name.
pub(super) fn twofold(requests: &Schemas, replies: &Schemas) -> BTreeSet<String> {
    let both: Vec<_> =
        requests.iter().filter_map(|(name, schema)| Some((name, schema, replies.get(name)?))).collect();
    let differ = both.iter().filter(|(_, request, reply)| request != reply);
    let mut twofold: BTreeSet<String> = differ.map(|(name, ..)| (*name).clone()).collect();
    loop {
        let refers = |schema: &Value| renamed(schema.clone(), &twofold) != *schema;
        let more: Vec<String> = both
            .iter()
            .filter(|(name, request, _)| !twofold.contains(*name) && refers(request))
            .map(|(name, ..)| (*name).clone())
            .collect();
        if more.is_empty() {
            return twofold;
        }
        twofold.extend(more);
    }
}

/// A part of a request, its references to twofold names turned to the request's shape.
pub(super) fn renamed(mut schema: Value, twofold: &BTreeSet<String>) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(name) if key == "$ref" => {
                        if name.strip_prefix(COMPONENTS).is_some_and(|name| twofold.contains(name)) {
                            name.push_str("Param");
                        }
                    }
                    // What is answered has the reply's shape.
                    _ if key == "responses" => {}
                    value => *value = renamed(value.take(), twofold),
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = renamed(item.take(), twofold));
        }
        _ => {}
    }
    schema
}

/// The keys of all objects in order, whatever features serde_json was built with.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        value => value,
    }
}
