//! The OpenAPI document of what the server serves, from the endpoint table and the schemas of its types.
//!
//! A type that is read and written can have two shapes: a field that may be left out of a request is always in a
//! reply. Where they differ, the request's goes by the type's name with `Param` behind it.

mod headers;
mod twofold;

use ropewalk_types::{
    COMPONENTS, ChatCompletionChunk, ENDPOINTS, EndpointInfo, ErrorBody, MessageDelta, RunStepDelta,
    reply_schemas, request_schemas,
};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use self::twofold::{renamed, sorted, twofold};

type Schemas = Map<String, Value>;

/// The document, its keys in order.
pub(crate) fn document() -> Value {
    let (mut requests, mut replies) = (request_schemas(), reply_schemas());
    let rows: Vec<Row> = ENDPOINTS
        .iter()
        .map(|info| Row {
            info,
            path: info.schemas.path.iter().map(|schema| schema(&mut requests).to_value()).collect(),
            query: (info.schemas.query)(&mut requests).to_value(),
            body: (info.schemas.body)(&mut requests).to_value(),
            reply: (info.schemas.response)(&mut replies).to_value(),
            chunk: info.chunks.map(|name| chunk(name, &mut replies)),
        })
        .collect();
    let error = replies.subschema_for::<ErrorBody>().to_value();
    // What events carry beside the objects of replies.
    replies.subschema_for::<MessageDelta>();
    replies.subschema_for::<RunStepDelta>();
    let mut requests = requests.take_definitions(true);
    let mut replies = replies.take_definitions(true);

    // Queries are parameters, each in its place.
    let queries: Schemas = rows.iter().filter_map(|row| take(&mut requests, &row.query)).collect();
    for row in &rows {
        if let Some(part) = row.info.multipart {
            add_bytes(&mut requests, &row.body, part);
        }
    }
    let twofold = twofold(&requests, &replies);
    let mut paths = Map::new();
    for row in &rows {
        let method = row.info.method.as_str().to_ascii_lowercase();
        let operation = renamed(row.operation(&queries, &error), &twofold);
        paths.entry(row.info.path).or_insert_with(|| json!({}))[method] = operation;
    }
    let requests = requests.into_iter().map(|(name, schema)| {
        let name = if twofold.contains(&name) { name + "Param" } else { name };
        (name, renamed(schema, &twofold))
    });
    let mut schemas: Schemas = requests.collect();
    schemas.append(&mut replies);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ropewalk",
            "description": "A self-hosted runtime for the Assistants API.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/v1" }],
        "security": [{ "ApiKeyAuth": [] }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": { "ApiKeyAuth": { "type": "http", "scheme": "bearer" } },
            "parameters": {
                "OpenAIBeta": {
                    "name": "OpenAI-Beta",
                    "in": "header",
                    "required": true,
                    "description": "Must name `assistants=v2`; other betas may stand beside it.",
                    "schema": { "type": "string", "const": "assistants=v2" },
                },
                "OpenAIBetaOptional": {
                    "name": "OpenAI-Beta",
                    "in": "header",
                    "required": false,
                    "description": "Is not looked at here.",
                    "schema": { "type": "string" },
                },
            },
            "responses": { "Error": {
                "description": "What went wrong.",
                "content": { "application/json": { "schema": error } },
            } },
            "schemas": schemas,
        },
    });
    if let Some(parameters) = document["components"]["parameters"].as_object_mut() {
        parameters.append(&mut headers::components());
    }
    sorted(document)
}

/// An endpoint and its schemas.
struct Row {
    info: &'static EndpointInfo,
    path: Vec<Value>,
    query: Value,
    body: Value,
    reply: Value,
    chunk: Option<Value>,
}

impl Row {
    fn operation(&self, queries: &Schemas, error: &Value) -> Value {
        let info = self.info;
        let mut operation = json!({
            "operationId": info.operation_id,
            "tags": [info.group],
            "summary": info.doc.trim(),
            "responses": {
                "200": { "description": "Done.", "content": self.content() },
                "default": { "$ref": "#/components/responses/Error" },
            },
        });
        // Told apart from other errors, because a client waits and tries again.
        operation["responses"]["429"] = json!({
            "description": "Too many requests or tokens for now.",
            "content": { "application/json": { "schema": error } },
            "headers": { "Retry-After": {
                "description": "Seconds until the next try.",
                "schema": { "type": "integer", "minimum": 1 },
            } },
        });
        let parameters = self.parameters(queries);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if info.body != "()" {
            let media = if info.multipart.is_some() { "multipart/form-data" } else { "application/json" };
            operation["requestBody"] =
                json!({ "required": !info.body_optional, "content": { media: { "schema": self.body } } });
        }
        operation
    }

    fn content(&self) -> Value {
        let text = |schema: Value| json!({ "schema": schema });
        if self.info.raw {
            return json!({
                "application/octet-stream": text(json!({ "description": "The bytes of the file." }))
            });
        }
        if self.info.events {
            return json!({ "text/event-stream": text(run_event("One event of the run.")) });
        }
        let mut content = json!({ "application/json": text(self.reply.clone()) });
        if self.info.streams {
            content["text/event-stream"] = text(run_event(IF_STREAMED));
        } else if let Some(chunk) = &self.chunk {
            content["text/event-stream"] = text(event(IF_STREAMED, chunk.clone(), &["data"]));
        }
        content
    }

    fn parameters(&self, queries: &Schemas) -> Vec<Value> {
        let beta = match self.info.path {
            _ if self.info.beta => Some("OpenAIBeta"),
            // These left beta; clients go on to send the header.
            path if path.starts_with("/vector_stores") => Some("OpenAIBetaOptional"),
            _ => None,
        };
        let beta = beta.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
        let names =
            self.info.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let path = names
            .zip(&self.path)
            .map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        let fields = name_of(&self.query)
            .and_then(|name| queries.get(name)?["properties"].as_object())
            .into_iter()
            .flatten();
        let query = fields.map(|(name, schema)| query_parameter(name, schema));
        beta.into_iter().chain(headers::of(self.info)).chain(path).chain(query).collect()
    }
}

const IF_STREAMED: &str = "One event of the stream that comes if the request says `stream: true`.";

/// One event of a run, with its number.
fn run_event(description: &str) -> Value {
    let objects = ["Thread", "Run", "RunStep", "RunStepDelta", "Message", "MessageDelta", "ErrorObject"];
    let objects = objects.map(|name| json!({ "$ref": format!("{COMPONENTS}{name}") }));
    let mut event = event(description, json!({ "anyOf": objects }), &["event", "data"]);
    event["properties"]["id"] = json!({
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "The number of the event within its run, to go on behind it; `error` and `done` have none.",
    });
    event
}

/// One event of a stream.
fn event(description: &str, object: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": {
            "event": { "type": "string", "description": "What happened: `thread.run.created`, …, `done`." },
            "data": {
                "type": "string",
                "description": "The object that it happened to; `[DONE]` at the end.",
                "anyOf": [
                    { "const": "[DONE]" },
                    { "contentMediaType": "application/json", "contentSchema": object },
                ],
            },
        },
        "required": required,
    })
}

/// A field of a query: absent, never `null`; a list as `name[]=a&name[]=b`, a map as `name[key]=value`.
fn query_parameter(name: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        let [kind] = &kinds[..] else { panic!("`{name}` is of more than one type") };
        schema["type"] = kind.clone();
    }
    if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
        forms.retain(|form| form["type"] != "null");
        if let [form] = &mut forms[..] {
            let form = form.take();
            merge(&mut schema, form);
        }
    }
    let mut parameter = json!({ "name": name, "in": "query", "required": false, "schema": schema });
    if parameter["schema"]["type"] == "object" {
        parameter["style"] = "deepObject".into();
        parameter["explode"] = true.into();
    }
    if let Some(description) = description {
        parameter["description"] = description;
    }
    parameter
}

/// Puts the one form of a union in the union's place.
fn merge(schema: &mut Value, form: Value) {
    if let (Value::Object(schema), Value::Object(form)) = (schema, form) {
        schema.remove("anyOf");
        schema.extend(form);
    }
}

/// Adds the part of a `multipart/form-data` body that is no field: the bytes.
fn add_bytes(schemas: &mut Schemas, body: &Value, part: &str) {
    let Some(schema) = name_of(body).and_then(|name| schemas.get_mut(name)) else { return };
    schema["properties"][part] = json!({ "type": "string", "contentMediaType": "application/octet-stream", "description": "The bytes." });
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    required.push(part.into());
    schema["required"] = required.into();
}

fn tags() -> Vec<Value> {
    let mut groups: Vec<&str> = Vec::new();
    for row in ENDPOINTS.iter().filter(|row| !row.group.is_empty()) {
        if !groups.contains(&row.group) {
            groups.push(row.group);
        }
    }
    groups.into_iter().map(|group| json!({ "name": group })).collect()
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(COMPONENTS)
}

/// The schema of what an endpoint streams, by the name in its row.
fn chunk(name: &str, replies: &mut SchemaGenerator) -> Value {
    match name {
        "types::ChatCompletionChunk" => replies.subschema_for::<ChatCompletionChunk>().to_value(),
        name => panic!("`{name}` is streamed: name its schema here"),
    }
}

fn take(schemas: &mut Schemas, reference: &Value) -> Option<(String, Value)> {
    let name = name_of(reference)?;
    schemas.remove(name).map(|schema| (name.to_owned(), schema))
}
