//! The reference page: each endpoint, and the fields of what it is asked with, from the OpenAPI document.

use std::{collections::BTreeSet, fmt::Write};

use ropewalk_types::{COMPONENTS, EndpointInfo};
use serde_json::{Map, Value, json};

const INTRODUCTION: &str = "# Endpoints

All paths stand below `/v1`. Types are those of `ropewalk-types`; methods are those of `ropewalk-client`. A reply that
*streams* is an event stream when the body says `stream: true`. The fields of a query or a body stand below the group
that first takes it: `messages[].role` is a field of each entry of `messages`, and `or null` means that `null` says the
same as nothing, or takes a value away.
";

const FIELDS: &str =
    "| field | type | required | bounds, default | what it says |\n| --- | --- | --- | --- | --- |\n";

/// The page of these endpoints, which `document` describes.
pub(crate) fn render(note: &str, endpoints: &[EndpointInfo], document: &Value) -> String {
    let mut page = format!("<!-- {note} -->\n{INTRODUCTION}");
    let mut told = BTreeSet::from(["()"]);
    for group in endpoints.chunk_by(|row, next| row.group == next.group) {
        page.push_str(&endpoint_table(group));
        for row in group {
            let operation = operation(document, row);
            let contents = operation["requestBody"]["content"].as_object().into_iter().flat_map(Map::values);
            let body = contents.map(|content| content["schema"].clone()).next();
            for (name, schema) in [(row.query, Some(query(operation))), (row.body, body)] {
                if let Some(schema) = schema.filter(|_| told.insert(name)) {
                    let rows = field_rows(document, &schema, "");
                    let _infallible = write!(page, "\n### {}\n\n{FIELDS}{rows}", type_cell(name));
                }
            }
        }
    }
    page + &header_table(endpoints, document)
}

/// The headers that some operations read, beside those of every request.
fn header_table(endpoints: &[EndpointInfo], document: &Value) -> String {
    let mut table = "\n## Headers\n\n| header | read by | what it says |\n| --- | --- | --- |\n".to_owned();
    for parameter in document["components"]["parameters"].as_object().into_iter().flat_map(Map::values) {
        let reads = |row: &&EndpointInfo| {
            let parameters = &operation(document, row)["parameters"];
            parameters
                .as_array()
                .is_some_and(|all| all.iter().any(|one| resolved(document, one) == parameter))
        };
        if parameter["name"] != "OpenAI-Beta" {
            let readers: Vec<_> =
                endpoints.iter().filter(reads).map(|row| format!("`{}`", row.operation_id)).collect();
            let [name, doc] = ["name", "description"].map(|key| parameter[key].as_str().unwrap_or_default());
            let _infallible = writeln!(table, "| `{name}` | {} | {doc} |", readers.join(", "));
        }
    }
    table
}

fn operation<'a>(document: &'a Value, row: &EndpointInfo) -> &'a Value {
    &document["paths"][row.path][row.method.as_str().to_ascii_lowercase()]
}

fn endpoint_table(group: &[EndpointInfo]) -> String {
    let name = group[0].group;
    let title = name.replace('_', " ");
    let beta = if group[0].beta { "Requests carry `OpenAI-Beta: assistants=v2`.\n\n" } else { "" };
    let mut table = format!(
        "\n## {}\n\n{beta}| request | operation | method | query | body | reply | what it does |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        title[..1].to_uppercase() + &title[1..],
    );
    for row in group {
        let streams = match row {
            EndpointInfo { events: true, .. } => "event stream",
            EndpointInfo { streams: true, .. } | EndpointInfo { chunks: Some(_), .. } => ", streams",
            _ => "",
        };
        let _infallible = writeln!(
            table,
            "| `{} {}` | `{}` | `{name}().{}` | {} | {} | {}{streams} | {} |",
            row.method.as_str(),
            row.path,
            row.operation_id,
            row.verb,
            type_cell(row.query),
            type_cell(row.body),
            type_cell(row.response),
            row.doc.trim(),
        );
    }
    table
}

fn type_cell(name: &str) -> String {
    if name == "()" { String::new() } else { format!("`{}`", name.replace("types::", "")) }
}

/// The parameters of a query as the fields of an object.
fn query(operation: &Value) -> Value {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let fields = parameters.filter(|parameter| parameter["in"] == "query").map(|parameter| {
        let mut schema = parameter["schema"].clone();
        schema["description"] = parameter["description"].clone();
        (parameter["name"].as_str().unwrap_or_default().to_owned(), schema)
    });
    json!({ "properties": fields.collect::<Map<_, _>>() })
}

/// A row for each field of an object, and of the objects in it: one level down, for the page is to be read.
fn field_rows(document: &Value, schema: &Value, parent: &str) -> String {
    let object = resolved(document, schema);
    let mut rows = String::new();
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let required = object["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        let within = resolved(document, field);
        let doc = field["description"].as_str().or(within["description"].as_str()).unwrap_or_default();
        let _infallible = writeln!(
            rows,
            "| `{parent}{name}` | {} | {} | {} | {} |",
            kind(document, field),
            if required { "yes" } else { "" },
            limits(field, within),
            doc.replace('\n', " ").replace('|', "\\|"),
        );
        if parent.is_empty() {
            let (within, mark) = within.get("items").map_or((within, ""), |items| (items, "[]"));
            rows.push_str(&field_rows(document, within, &format!("{name}{mark}.")));
        }
    }
    rows
}

/// What a schema comes to: the one it refers to, or the one form that it has beside `null`.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return document
            .pointer(name.trim_start_matches('#'))
            .map_or(schema, |schema| resolved(document, schema));
    }
    match schema["anyOf"].as_array().map(Vec::as_slice) {
        Some([form, null] | [null, form]) if null["type"] == "null" => resolved(document, form),
        _ => schema,
    }
}

/// What values a field takes, in words.
fn kind(document: &Value, schema: &Value) -> String {
    let mut kinds = kinds(document, schema);
    let of = kinds.len();
    kinds.retain(|kind| kind != "null");
    let null = if kinds.len() < of { " or null" } else { "" };
    format!("{}{null}", kinds.join(" or "))
}

/// The forms of a schema; what is more than a word goes by the name of its type.
fn kinds(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let named = resolved(document, schema);
        if named["enum"].is_array() || named["type"].is_string() && named["type"] != "object" {
            return kinds(document, named);
        }
        let name = name.trim_start_matches(COMPONENTS);
        return vec![format!("`{}`", name.strip_suffix("Param").unwrap_or(name))];
    }
    if let Some(forms) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return forms.iter().flat_map(|form| kinds(document, form)).collect();
    }
    let words = schema["enum"].as_array().map_or(std::slice::from_ref(&schema["const"]), Vec::as_slice);
    let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
    let types = schema["type"].as_array().map_or(std::slice::from_ref(&schema["type"]), Vec::as_slice);
    let types = types.iter().map(|name| match name.as_str() {
        Some("array") => format!("list of {}", kind(document, &schema["items"])),
        Some("string") if !words.is_empty() => words.join(", "),
        name => name.unwrap_or("anything").to_owned(),
    });
    types.collect()
}

/// The bounds of a field and its default, in words.
fn limits(field: &Value, within: &Value) -> String {
    let of = |name: &str| field.get(name).or(within.get(name)).filter(|value| !value.is_null());
    let bounds = [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " entries"),
    ];
    let bounds = bounds.into_iter().filter_map(|(least, most, unit)| match (of(least), of(most)) {
        (Some(least), None) if !unit.is_empty() && *least == 1 => Some("not empty".to_owned()),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    });
    let default = of("default").map(|value| match value.as_str() {
        Some(word) => format!("default `{word}`"),
        None => format!("default `{value}`"),
    });
    bounds.chain(default).collect::<Vec<_>>().join("; ")
}
