use ropewalk_types::Function;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, transform::Transform};
use serde_json::{Map, Value};

use crate::strict::{Strict, generator};

/// Collects the arguments of a `#[tool]` function.
pub struct Parameters {
    generator: SchemaGenerator,
    properties: Map<String, Value>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self::new()
    }
}

impl Parameters {
    /// No arguments.
    pub fn new() -> Self {
        Self { generator: generator(), properties: Map::new() }
    }

    /// Adds the argument `name`; `docs` are the lines of its doc comment, which go before those of the type.
    #[must_use]
    pub fn argument<T: JsonSchema>(mut self, name: &str, docs: &[&str]) -> Self {
        let mut schema = self.generator.subschema_for::<T>();
        let docs = text(docs);
        if !docs.is_empty() {
            schema.insert("description".to_owned(), docs.into());
        }
        self.properties.insert(name.to_owned(), schema.into());
        self
    }

    /// The definition of the function, strict as far as its types allow: the registry checks it.
    pub fn function(mut self, name: &str, docs: &[&str]) -> Function {
        let required: Vec<_> = self.properties.keys().cloned().collect();
        let mut schema: Schema = json_schema!({
            "type": "object",
            "properties": self.properties,
            "required": required,
        });
        let definitions = self.generator.take_definitions(false);
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), definitions.into());
        }
        Strict.transform(&mut schema);
        Function {
            strict: Some(true),
            ..Function::new(name).description(text(docs)).parameters(schema.to_value())
        }
    }
}

/// A doc comment as text: without the blank that follows `///`.
fn text(docs: &[&str]) -> String {
    let lines: Vec<_> = docs.iter().flat_map(|doc| doc.split('\n')).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}
