//! The walk of a value along its rules.

use serde_json::{Map, Number, Value};

use super::{
    fault,
    path::Path,
    pattern::Pattern,
    rule::{Array, Bounds, Form, Node, Others, Rule, Rules, Text},
};
use crate::api_error::ApiError;

type Check = Result<(), ApiError>;

/// Checks a whole request.
pub(super) fn check(rules: &Rules, value: &Value) -> Check {
    Walk(rules).value(rules.root, value, &Path::ROOT)
}

struct Walk<'a>(&'a Rules);

impl Walk<'_> {
    fn value(&self, node: Node, value: &Value, path: &Path<'_>) -> Check {
        let rule = self.0.get(node);
        if rule.any {
            return Ok(());
        }
        match (value, rule) {
            (Value::Null, Rule { null: true, .. }) | (Value::Bool(_), Rule { boolean: true, .. }) => Ok(()),
            (Value::Number(got), Rule { decimal: Some(bounds), .. }) => decimal(bounds, got, path),
            (Value::Number(got), Rule { integer: Some(bounds), .. }) => match whole(got) {
                Some(number) => integer(bounds, number, got, path),
                None => Err(fault::wrong_type(self.0, rule, value, path)),
            },
            (Value::String(got), Rule { text: Some(rule), .. }) => text(rule, got, path),
            (Value::Array(items), Rule { array: Some(rule), .. }) => self.array(rule, items, path),
            (Value::Object(fields), Rule { forms, .. }) if !forms.is_empty() => {
                self.object(rule, fields, path)
            }
            _ => Err(fault::wrong_type(self.0, rule, value, path)),
        }
    }

    fn array(&self, rule: &Array, items: &[Value], path: &Path<'_>) -> Check {
        if let Some(max) = rule.max.filter(|max| items.len() > *max) {
            return Err(fault::array_too_long(path, max, items.len()));
        }
        if items.len() < rule.min {
            return Err(fault::array_too_short(path, rule.min, items.len()));
        }
        let mut items = items.iter().enumerate();
        items.try_for_each(|(position, item)| self.value(rule.item, item, &path.item(position)))
    }

    fn object(&self, rule: &Rule, fields: &Map<String, Value>, path: &Path<'_>) -> Check {
        if let Some(tag) = &rule.tag {
            return self.form(self.tagged(tag, &rule.forms, fields, path)?, fields, path);
        }
        // With nothing to tell forms apart, the fault is that of the first.
        let mut tries = rule.forms.iter().map(|form| self.form(form, fields, path));
        let first = tries.next().unwrap_or(Ok(()));
        if first.is_err() && tries.any(|other| other.is_ok()) { Ok(()) } else { first }
    }

    fn form(&self, form: &Form, fields: &Map<String, Value>, path: &Path<'_>) -> Check {
        if let Some(max) = form.max_fields.filter(|max| fields.len() > *max) {
            return Err(fault::too_many_fields(path, max, fields.len()));
        }
        let others = || fields.iter().filter(|(name, _)| form.field(name).is_none());
        if form.others == Others::Refused
            && let Some((name, _)) = others().next()
        {
            return Err(fault::unknown(&path.field(name)));
        }
        let missing = |required: &str| !fields.contains_key(required);
        if let Some(field) = form.fields.iter().find(|field| field.required && missing(&field.name)) {
            return Err(fault::missing(&path.field(&field.name)));
        }
        for field in &form.fields {
            if let Some(value) = fields.get(&field.name) {
                self.value(field.rule, value, &path.field(&field.name))?;
            }
        }
        if let Others::Like(rule) = form.others {
            for (name, value) in others() {
                let path = path.field(name);
                form.max_name.map_or(Ok(()), |max| length(name, max, &path))?;
                self.value(rule, value, &path)?;
            }
        }
        Ok(())
    }

    /// The form that the tag of an object names.
    fn tagged<'f>(
        &self,
        tag: &str,
        forms: &'f [Form],
        fields: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<&'f Form, ApiError> {
        let path = path.field(tag);
        let word = match fields.get(tag) {
            None => return Err(fault::missing(&path)),
            Some(Value::String(word)) => word,
            Some(other) => {
                let text = Rule { text: Some(Text::default()), ..Rule::default() };
                return Err(fault::wrong_type(self.0, &text, other, &path));
            }
        };
        forms.iter().find(|form| form.tag_words(tag).contains(word)).ok_or_else(|| {
            let supported = forms.iter().flat_map(|form| form.tag_words(tag)).map(String::as_str);
            fault::unsupported_value(&path.to_string(), word, &supported.collect::<Vec<_>>())
        })
    }
}

/// A number without a fraction; beyond all bounds if it is larger than any integer of ours.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i128() {
        return Some(number);
    }
    // What was written as `1e30` or with forty digits; `1.0` is a decimal, to us and to the types behind.
    number
        .as_f64()
        .filter(|number| number.abs() >= 2.0_f64.powi(63))
        .map(|number| if number > 0.0 { i128::MAX } else { i128::MIN })
}

fn integer(bounds: &Bounds<i128>, number: i128, got: &Number, path: &Path<'_>) -> Check {
    if let Some(max) = bounds.max.filter(|max| number > *max) {
        return Err(fault::above_max(path, "integer", max, got));
    }
    match bounds.min.filter(|min| number < *min) {
        Some(min) => Err(fault::below_min(path, "integer", min, got)),
        None => Ok(()),
    }
}

fn decimal(bounds: &Bounds<f64>, got: &Number, path: &Path<'_>) -> Check {
    let number = got.as_f64().unwrap_or_default();
    if let Some(max) = bounds.max.filter(|max| number > *max) {
        return Err(fault::above_max(path, "decimal", max, got));
    }
    match bounds.min.filter(|min| number < *min) {
        Some(min) => Err(fault::below_min(path, "decimal", min, got)),
        None => Ok(()),
    }
}

fn text(rule: &Text, got: &str, path: &Path<'_>) -> Check {
    if !rule.words.is_empty() {
        if rule.words.iter().any(|word| word == got) {
            return Ok(());
        }
        let words: Vec<&str> = rule.words.iter().map(String::as_str).collect();
        return Err(fault::unsupported_value(&path.to_string(), got, &words));
    }
    rule.max.map_or(Ok(()), |max| length(got, max, path))?;
    match &rule.pattern {
        Some(pattern) if pattern.fits(got) => Ok(()),
        Some(Pattern::Prefix(prefix)) => Err(fault::bad_id(&path.to_string(), got, prefix)),
        Some(Pattern::Name { pattern, .. }) => Err(fault::bad_name(path, pattern)),
        None if got.len() < rule.min => Err(fault::text_too_short(path, rule.min, got.len())),
        None => Ok(()),
    }
}

fn length(text: &str, max: usize, path: &Path<'_>) -> Check {
    // Most texts are shorter in bytes than they may be in characters.
    if text.len() <= max {
        return Ok(());
    }
    let length = text.chars().count();
    if length > max { Err(fault::text_too_long(path, max, length)) } else { Ok(()) }
}
