//! JSON schemas of the wire types: what a request is checked against and what the served OpenAPI document says.
//!
//! The convention: bounds, patterns and defaults stand on the field, as `#[schemars(length(..), range(..),
//! extend("default" = ..))]`; descriptions are the docs. A type whose fields are closed in requests says
//! `deny_unknown_fields`, to serde if only requests have it and to schemars alone if replies have it too. The
//! `Unknown` variants, which keep a newer server's words for a client, say `#[schemars(skip)]`: this crate's
//! schemas know only what this version knows.

use schemars::{
    Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value};

/// Where an OpenAPI document keeps its schemas: what every `$ref` begins with.
pub const COMPONENTS: &str = "#/components/schemas/";

/// Makes schemas of what is read: a field with a default may be absent.
pub fn request_schemas() -> SchemaGenerator {
    settings().for_deserialize().into_generator()
}

/// Makes schemas of what is written: a field that is never left out is required.
pub fn reply_schemas() -> SchemaGenerator {
    settings().for_serialize().into_generator()
}

fn settings() -> SchemaSettings {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = COMPONENTS.trim_start_matches('#').trim_end_matches('/').to_owned().into();
    settings.meta_schema = None;
    settings.with_transform(PlainDescriptions).with_transform(WordsAsEnum)
}

/// Takes the links of Rust's docs out of descriptions.
#[derive(Debug, Clone)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace("[`", "`").replace("`]", "`");
        }
        transform_subschemas(self, schema);
    }
}

/// Turns words that each stand in a schema of their own, as documented variants do, into one `enum`.
#[derive(Debug, Clone)]
struct WordsAsEnum;

impl Transform for WordsAsEnum {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        // Enums with a skipped variant come as `anyOf`.
        let Some((union, variants)) =
            ["oneOf", "anyOf"].into_iter().find_map(|union| Some((union, schema.get(union)?.as_array()?)))
        else {
            return;
        };
        let Some(words) = variants.iter().map(word).collect::<Option<Vec<_>>>() else { return };
        let meanings = words.iter().filter(|(_, meaning)| !meaning.is_empty());
        let meanings: Vec<String> =
            meanings.map(|(word, meaning)| format!("- `{word}`: {meaning}")).collect();
        let words = words.into_iter().map(|(word, _)| word.into()).collect();
        schema.remove(union);
        schema.insert("type".to_owned(), "string".into());
        schema.insert("enum".to_owned(), Value::Array(words));
        if meanings.len() > 1 {
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let about = format!("{about}\n\n{}", meanings.join("\n"));
            schema.insert("description".to_owned(), about.trim_start().into());
        }
    }
}

/// The word and the meaning of a variant without fields.
fn word(variant: &Value) -> Option<(String, String)> {
    let variant: &Map<String, Value> = variant.as_object()?;
    let text = |key: &str| variant.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((text("const")?, text("description").unwrap_or_default()))
}
