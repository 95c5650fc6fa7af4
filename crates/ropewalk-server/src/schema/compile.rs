//! JSON schema, as schemars writes it, to rules.

use std::collections::{HashMap, HashSet};

use ropewalk_types::COMPONENTS;
use serde_json::{Map, Value};

use super::{
    pattern::Pattern,
    rule::{Array, Bounds, Field, Form, Node, Others, Rule, Rules, Text},
};

/// Makes rules of `schema`, whose references stand in `definitions`.
pub(super) fn compile(schema: &Value, definitions: &Map<String, Value>) -> Rules {
    let mut compiler = Compiler { definitions, rules: Vec::new(), known: HashMap::new() };
    let root = compiler.node(schema);
    Rules { rules: compiler.rules, root }
}

struct Compiler<'a> {
    definitions: &'a Map<String, Value>,
    rules: Vec<Rule>,
    /// The definitions that have a rule, which ends schemas that refer to themselves.
    known: HashMap<&'a str, Node>,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &Value) -> Node {
        let name = schema["$ref"].as_str().and_then(|reference| self.definition(reference));
        if let Some(known) = name.and_then(|(name, _)| self.known.get(name)) {
            return *known;
        }
        let node = Node(self.rules.len());
        self.rules.push(Rule::default());
        if let Some((name, _)) = name {
            self.known.insert(name, node);
        }
        self.rules[node.0] = self.rule(schema);
        node
    }

    fn definition(&self, reference: &str) -> Option<(&'a str, &'a Value)> {
        let (name, schema) = self.definitions.get_key_value(reference.strip_prefix(COMPONENTS)?)?;
        Some((name, schema))
    }

    fn rule(&mut self, schema: &Value) -> Rule {
        if let Some((_, schema)) = schema["$ref"].as_str().and_then(|name| self.definition(name)) {
            return self.rule(schema);
        }
        if let Some(forms) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let rule = forms.iter().map(|form| self.rule(form)).fold(Rule::default(), either);
            return Rule { tag: tag(&rule.forms), ..rule };
        }
        let mut rule = Rule::default();
        match &schema["type"] {
            Value::String(kind) => self.add_kind(&mut rule, kind, schema),
            Value::Array(kinds) => {
                let kinds = kinds.iter().filter_map(Value::as_str);
                kinds.for_each(|kind| self.add_kind(&mut rule, kind, schema));
            }
            _ => rule.any = true,
        }
        rule
    }

    fn add_kind(&mut self, rule: &mut Rule, kind: &str, schema: &Value) {
        match kind {
            "null" => rule.null = true,
            "boolean" => rule.boolean = true,
            "integer" => rule.integer = Some(integer(schema)),
            "number" => {
                rule.decimal =
                    Some(Bounds { min: schema["minimum"].as_f64(), max: schema["maximum"].as_f64() });
            }
            "string" => rule.text = Some(text(schema)),
            "array" => {
                let item = self.node(&schema["items"]);
                let min = size(&schema["minItems"]).unwrap_or_default();
                rule.array = Some(Array { min, max: size(&schema["maxItems"]), item });
            }
            _ => rule.forms = vec![self.form(schema)],
        }
    }

    fn form(&mut self, schema: &Value) -> Form {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object();
        let mut fields: Vec<Field> = properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| Field {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                rule: self.node(schema),
            })
            .collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        let others = match &schema["additionalProperties"] {
            Value::Bool(false) => Others::Refused,
            Value::Bool(true) | Value::Null => Others::Ignored,
            schema => Others::Like(self.node(schema)),
        };
        Form {
            tags: properties
                .into_iter()
                .flatten()
                .filter(|(name, _)| required.contains(&name.as_str()))
                .map(|(name, schema)| (name.clone(), self.words_of(schema)))
                .filter(|(_, words)| !words.is_empty())
                .collect(),
            fields,
            others,
            max_fields: size(&schema["maxProperties"]),
            max_name: size(&schema["propertyNames"]["maxLength"]),
        }
    }

    /// The words that a tag may be, even where the rule for it is only begun.
    fn words_of(&self, tag: &Value) -> Vec<String> {
        let definition = tag["$ref"].as_str().and_then(|name| self.definition(name));
        words(definition.map_or(tag, |(_, schema)| schema))
    }
}

/// What is one or the other.
fn either(a: Rule, b: Rule) -> Rule {
    let text = match (a.text, b.text) {
        (Some(mut a), Some(b)) if !a.words.is_empty() && !b.words.is_empty() => {
            a.words.extend(b.words);
            Some(a)
        }
        // An open text takes in what words the other has.
        (Some(a), Some(b)) => Some(if a.words.is_empty() { a } else { b }),
        (a, b) => a.or(b),
    };
    Rule {
        any: a.any || b.any,
        null: a.null || b.null,
        boolean: a.boolean || b.boolean,
        integer: a.integer.or(b.integer),
        decimal: a.decimal.or(b.decimal),
        text,
        array: a.array.or(b.array),
        forms: a.forms.into_iter().chain(b.forms).collect(),
        tag: None,
    }
}

/// The field that tells several forms apart: each has words for it, and none of them twice.
fn tag(forms: &[Form]) -> Option<String> {
    let (first, others) = forms.split_first().filter(|(_, others)| !others.is_empty())?;
    let apart = |tag: &str| {
        let mut seen = HashSet::new();
        let all_have_it = others.iter().all(|form| !form.tag_words(tag).is_empty());
        all_have_it && forms.iter().flat_map(|form| form.tag_words(tag)).all(|word| seen.insert(word))
    };
    first.tags.iter().map(|(name, _)| name).find(|name| apart(name)).cloned()
}

fn integer(schema: &Value) -> Bounds<i128> {
    let bound = |key: &str| schema[key].as_i64().map(i128::from);
    // What the type can hold, so that what passes can be read.
    let (least, most) = match schema["format"].as_str() {
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64") => (0, u64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    Bounds { min: bound("minimum").or(Some(least)), max: bound("maximum").or(Some(most)) }
}

fn text(schema: &Value) -> Text {
    Text {
        min: size(&schema["minLength"]).unwrap_or_default(),
        max: size(&schema["maxLength"]),
        pattern: schema["pattern"].as_str().and_then(Pattern::parse),
        words: words(schema),
    }
}

fn words(schema: &Value) -> Vec<String> {
    let single = schema["const"].as_str().into_iter();
    let several = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    single.chain(several).map(str::to_owned).collect()
}

fn size(bound: &Value) -> Option<usize> {
    bound.as_u64().and_then(|bound| usize::try_from(bound).ok())
}
