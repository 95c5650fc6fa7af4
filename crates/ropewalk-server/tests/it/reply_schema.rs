//! Every JSON reply in these tests fits the schema that the served document has for it.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use axum::body::Body;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi.json")).unwrap());

/// Checks the reply to a request, and gives it back.
pub(crate) async fn checked(method: &Method, path: &str, response: Response<Body>) -> Response<Body> {
    let is_json = response.headers().get("content-type").is_some_and(|kind| kind == "application/json");
    let operation = operation(method, path);
    if !is_json || (operation.is_none() && response.status() == StatusCode::OK) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let schema = match operation {
        Some(operation) if parts.status == StatusCode::OK => {
            operation["responses"]["200"]["content"]["application/json"]["schema"].clone()
        }
        _ => DOCUMENT["components"]["responses"]["Error"]["content"]["application/json"]["schema"].clone(),
    };
    let reply: Value = serde_json::from_slice(&bytes).unwrap();
    fits(&schema, &reply, &format!("{method} {path}: {}", parts.status));
    Response::from_parts(parts, Body::from(bytes))
}

/// The operation of a path, the one with the most words of its own if several fit.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next()?.strip_prefix("/v1")?;
    let fits = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        let same_length = template.clone().count() == path.clone().count();
        same_length && template.zip(path).all(|(wanted, got)| wanted.starts_with('{') || wanted == got)
    };
    let templates = DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template));
    let (_, methods) = templates.min_by_key(|(template, _)| template.matches('{').count())?;
    methods.get(method.as_str().to_ascii_lowercase())
}

fn fits(schema: &Value, value: &Value, what: &str) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let validator = *VALIDATORS.lock().unwrap().entry(schema.to_string()).or_insert_with(|| {
        let mut schema = schema.clone();
        schema["components"] = json!({ "schemas": DOCUMENT["components"]["schemas"] });
        Box::leak(Box::new(jsonschema::draft202012::new(&schema).unwrap()))
    });
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what} does not fit its schema: {faults:#?}\n{value:#}");
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let error = json!({ "$ref": "#/components/schemas/ErrorBody" });
    let whole = json!({ "error": { "message": "", "type": "", "param": null, "code": null } });
    fits(&error, &whole, "a whole error");
    let cut = json!({ "error": { "message": "", "type": "" } });
    assert!(std::panic::catch_unwind(|| fits(&error, &cut, "an error without keys")).is_err());
    assert!(operation(&Method::POST, "/v1/threads/runs").unwrap()["operationId"] == "createThreadAndRun");
    assert!(operation(&Method::GET, "/v1/threads/x?limit=1").unwrap()["operationId"] == "getThread");
}
