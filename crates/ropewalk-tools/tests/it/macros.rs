//! `#[tool]`: functions that become tools.

use ropewalk_tools::{Tool, ToolContext, ToolError, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A box of parcels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Parcel {
    /// Weight in kilograms.
    weight: f64,
    /// Pieces in it.
    #[serde(default = "one")]
    pieces: u32,
}

fn one() -> u32 {
    1
}

/// Price to send a parcel.
///
/// In euros, without tax.
#[tool]
pub(crate) async fn postage(
    /// What to send.
    parcel: Parcel,
    to: String,
    /// Tomorrow rather than some day.
    express: Option<bool>,
    context: ToolContext,
) -> Result<String, ToolError> {
    if to.is_empty() {
        return Err(std::fmt::Error.to_string().into());
    }
    let express = if express == Some(true) { "express" } else { "normal" };
    let by = context.thread_id.map_or("nobody".to_owned(), |id| id.to_string());
    Ok(format!("{} kg in {} to {to}, {express}, for {by}", parcel.weight, parcel.pieces))
}

/// Says what time it is.
#[tool(name = "what-time")]
fn r#type() -> (u8, u8) {
    (12, 30)
}

/// Opens a file.
#[tool]
fn open(
    /// Its path.
    path: std::path::PathBuf,
) -> std::io::Result<()> {
    std::fs::File::open(path).map(drop)
}

mod through_the_facade {
    /// Adds, as a program would that depends on the facade alone.
    #[ropewalk_tools::facade_tool]
    pub(crate) fn add(a: i64, b: i64) -> i64 {
        a + b
    }
}

async fn call(tool: impl Tool, arguments: Value) -> Result<Value, String> {
    let context = ToolContext::new("thread_1", "run_1");
    tool.call(arguments, &context).await.map_err(|error| error.to_string())
}

#[test]
fn names_docs_and_types_are_the_definition() {
    insta::assert_json_snapshot!([postage.definition(), r#type.definition()]);
}

#[tokio::test]
async fn arguments_are_read_by_type_and_null_is_the_default() {
    let parcel = json!({"weight": 2.5, "pieces": null});
    assert_eq!(
        call(postage, json!({"parcel": parcel, "to": "Oslo", "express": null})).await,
        Ok(json!("2.5 kg in 1 to Oslo, normal, for thread_1"))
    );
    assert_eq!(
        call(postage, json!({"parcel": {"weight": 1, "pieces": 3}, "to": "Oslo", "express": true})).await,
        Ok(json!("1 kg in 3 to Oslo, express, for thread_1"))
    );
    assert_eq!(
        call(postage, json!({"parcel": {"weight": "much"}, "to": "Oslo"})).await,
        Err("argument `parcel`: weight: invalid type: string \"much\", expected f64".to_owned())
    );
    assert_eq!(call(r#type, json!({})).await, Ok(json!([12, 30])));
    assert_eq!(call(through_the_facade::add, json!({"a": 1, "b": 2})).await, Ok(json!(3)));
}

#[tokio::test]
async fn the_function_stays_callable_as_it_was() {
    let parcel = Parcel { weight: 1.0, pieces: 1 };
    let answer = postage::call(parcel, "Rome".to_owned(), None, ToolContext::default()).await;
    assert_eq!(answer.unwrap(), "1 kg in 1 to Rome, normal, for nobody");
    assert_eq!(r#type::call(), (12, 30));
}

#[tokio::test]
async fn an_error_of_any_type_keeps_its_text_and_its_self() {
    let error = Tool::call(&open, json!({"path": "/no/such"}), &ToolContext::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "No such file or directory (os error 2)");
    let same = ToolError::new(ToolError::new(error));
    let cause: &std::io::Error = same.get_ref().downcast_ref().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
}
