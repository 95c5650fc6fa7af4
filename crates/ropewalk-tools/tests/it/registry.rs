//! The registry: what it takes, and that it always answers.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use proptest::prelude::*;
use ropewalk_tools::{Registry, RegistryError, Tool, ToolContext, ToolError, tool, tool_fn};
use ropewalk_types::{Function, FunctionCall, ToolCall, ToolOutput};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Says it back, so many times.
#[tool]
fn echo(
    /// What to say.
    text: String,
    times: Option<u32>,
) -> String {
    text.repeat(times.unwrap_or(1) as usize)
}

/// Waits.
#[tool]
async fn wait(seconds: u64) -> u64 {
    sleep(Duration::from_secs(seconds)).await;
    seconds
}

/// Fails in a way of your choice.
#[tool]
async fn fail(how: String) -> Result<(), ToolError> {
    match how.as_str() {
        "panic" => panic!("out of cheese"),
        "index" => drop(Vec::<u8>::new()[how.len()]),
        how => return Err(ToolError::new(format!("no {how}"))),
    }
    Ok(())
}

/// Tells where it was called from.
#[tool]
fn place(context: ToolContext) -> String {
    format!("{context:?}")
}

fn registry() -> Registry {
    Registry::new().add(echo).and_then(|tools| tools.add(wait)?.add(fail)?.add(place)).unwrap()
}

fn call(name: &str, arguments: impl Into<String>) -> ToolCall {
    let function = FunctionCall { name: name.to_owned(), arguments: arguments.into() };
    ToolCall { id: "call_1".into(), kind: Default::default(), function }
}

async fn output(name: &str, arguments: impl Into<String>) -> String {
    registry().call(&call(name, arguments), &ToolContext::default()).await.output.unwrap()
}

/// A tool whose definition came from elsewhere.
#[derive(Debug)]
struct Foreign(Function);

#[async_trait]
impl Tool for Foreign {
    fn definition(&self) -> Function {
        self.0.clone()
    }

    async fn call(&self, arguments: Value, _: &ToolContext) -> Result<Value, ToolError> {
        Ok(arguments)
    }
}

#[tokio::test]
async fn a_result_is_json_and_a_string_keeps_its_quotes() {
    assert_eq!(output("echo", r#"{"text": "ha", "times": 2}"#).await, r#""haha""#);
    assert_eq!(output("echo", "{'text': 'ha', times: None,}").await, r#""ha""#);
    assert_eq!(output("place", "").await, output("place", "{}").await);
}

#[tokio::test]
async fn an_argument_may_be_of_a_recursive_type() {
    #[derive(Deserialize, JsonSchema)]
    struct Branch {
        branches: Vec<Branch>,
        #[serde(default)]
        leaves: u32,
    }

    fn leaves(branch: &Branch) -> u32 {
        branch.leaves + branch.branches.iter().map(leaves).sum::<u32>()
    }

    /// Counts the leaves of a tree.
    #[tool]
    fn count(
        /// All of it.
        tree: Branch,
        /// What fell off.
        fallen: Option<Branch>,
    ) -> u32 {
        leaves(&tree) + fallen.as_ref().map_or(0, leaves)
    }

    let registry = Registry::new().add(count).unwrap();
    let output = async |arguments: Value| {
        registry.call(&call("count", arguments.to_string()), &ToolContext::default()).await.output.unwrap()
    };
    let tree =
        json!({"leaves": null, "branches": [{"leaves": 2, "branches": [{"leaves": 3, "branches": []}]}]});
    assert_eq!(output(json!({"tree": tree, "fallen": tree})).await, "10");
    let wrong = json!({"branches": [{"branches": [{"branches": 1}]}]});
    assert_eq!(
        output(json!({"tree": wrong})).await,
        r#"{"error":"the arguments do not fit the function: `/tree/branches/0/branches/0/branches`: expected array"}"#
    );
}

#[tokio::test]
async fn a_tool_knows_its_thread_run_and_call() {
    let output = registry().call(&call("place", "{}"), &ToolContext::new("thread_1", "run_1")).await;
    let context = ToolContext::new("thread_1", "run_1").call("call_1");
    assert_eq!(output, ToolOutput::new("call_1", json!(format!("{context:?}")).to_string()));
}

#[tokio::test]
async fn what_goes_wrong_is_told_to_the_model() {
    let mut told = Vec::new();
    for (name, arguments) in [
        ("get_weather", "{}"),
        ("echo", r#"{"times": 2}"#),
        ("echo", r#"{"text": "x", "times": "two", "loud": true}"#),
        ("echo", r#"{"text": "the disk at /home/al"#),
        ("echo", "please say hello"),
        ("echo", r#"["x"]"#),
        ("echo", r#"{"text": "x", "times": 600000}"#),
        ("echo", r#"{"text": "x", "times": 5000000000}"#),
        ("fail", r#"{"how": "money"}"#),
        ("fail", r#"{"how": "panic"}"#),
        ("fail", r#"{"how": "index"}"#),
    ] {
        told.push(format!("{name} {arguments}\n    {}", output(name, arguments).await));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn an_error_is_cut_at_a_length() {
    let long = output("fail", json!({"how": "é".repeat(10_000)}).to_string()).await;
    assert_eq!(
        serde_json::from_str::<Value>(&long).unwrap()["error"].as_str().unwrap().chars().count(),
        2_001
    );
    let name = output(&"n".repeat(10_000), "{}").await;
    assert!(name.len() < 2_100);
    let arguments = output("echo", " ".repeat(600_000)).await;
    assert!(arguments.contains("600000 bytes"), "{arguments}");
}

#[tokio::test(start_paused = true)]
async fn calls_run_side_by_side_and_keep_their_order() {
    let start = Instant::now();
    let calls = [3, 1, 2].map(|seconds| call("wait", json!({"seconds": seconds}).to_string()));
    let outputs = registry().call_all(&calls, &ToolContext::default()).await;
    assert_eq!(outputs, ["3", "1", "2"].map(|output| ToolOutput::new("call_1", output)));
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_sixteen_calls_run_at_once() {
    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let count = tool_fn("count", "Counts who else is there.", {
        let most = Arc::clone(&most);
        move |_: Nothing, _| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, ToolError>(())
            }
        }
    });
    let calls = vec![call("count", ""); 100];
    let registry = Registry::new().add(count).unwrap();
    let outputs = registry.call_all(&calls, &ToolContext::default()).await;
    assert_eq!(outputs, vec![ToolOutput::new("call_1", "null"); 100]);
    assert_eq!(most.load(Ordering::SeqCst), 16);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_dropped() {
    let start = Instant::now();
    let timed_out = json!({"error": "the function gave no answer within 60s"}).to_string();
    assert_eq!(output("wait", r#"{"seconds": 90}"#).await, timed_out);
    assert_eq!(start.elapsed().as_secs(), 60);

    let registry = registry().timeout(Duration::from_secs(100));
    let slow = call("wait", r#"{"seconds": 90}"#);
    assert_eq!(registry.call(&slow, &ToolContext::default()).await, ToolOutput::new("call_1", "90"));
}

#[test]
fn without_a_timer_there_is_still_an_answer() {
    let output = futures_util::FutureExt::now_or_never(output("echo", r#"{"text": "x"}"#)).unwrap();
    assert!(output.starts_with(r#"{"error":"#), "{output}");
}

#[test]
fn the_future_of_a_call_may_move_between_threads() {
    fn assert_send(_: impl Send) {}
    let registry = registry();
    assert_send(registry.call_all(&[], &ToolContext::default()));
}

#[test]
fn a_tool_that_the_api_would_not_take_is_refused() {
    /// A map.
    #[tool]
    fn scores(
        /// Points by name.
        points: BTreeMap<String, u32>,
    ) -> u32 {
        points.values().sum()
    }

    let refused = |tool: Arc<dyn Tool>| {
        let error: RegistryError = Registry::new().add(echo).unwrap().add(tool).unwrap_err();
        let source = error.source().map_or(String::new(), |source| format!(": {source}"));
        format!("{error}{source}")
    };
    let foreign = |function| refused(Arc::new(Foreign(function)));
    insta::assert_snapshot!(
        [
            refused(Arc::new(echo)),
            refused(Arc::new(scores)),
            foreign(Function::new("get price")),
            foreign(Function::new("")),
            foreign(Function::new("n".repeat(65))),
            foreign(Function::new("long").description("é".repeat(1025))),
            foreign(Function::new("broken").parameters(json!({"type": "objekt"}))),
            foreign(Function::new("remote").parameters(json!({"$ref": "http://127.0.0.1:1/schema"}))),
            foreign(Function {
                strict: Some(true),
                ..Function::new("open")
                    .parameters(json!({"type": "object", "properties": {"a": {"type": "string"}}}))
            }),
        ]
        .join("\n")
    );
}

#[tokio::test]
async fn a_foreign_tool_need_not_be_strict_but_is_checked() {
    let schema = json!({"type": "object", "required": ["a"], "additionalProperties": {"type": "integer"}});
    let registry = Registry::new().add(Foreign(Function::new("sum").parameters(schema.clone()))).unwrap();
    let output = async |arguments| {
        registry.call(&call("sum", arguments), &ToolContext::default()).await.output.unwrap()
    };
    assert_eq!(output(r#"{"a": 1, "b": 2}"#).await, r#"{"a":1,"b":2}"#);
    assert_eq!(
        output(r#"{"a": null}"#).await,
        r#"{"error":"the arguments do not fit the function: `/a`: expected integer"}"#
    );
    assert_eq!(
        registry.definitions(),
        [ropewalk_types::Tool::function(Function::new("sum").parameters(schema))]
    );
}

/// Anything that could be arguments: JSON of all kinds, near-JSON, noise.
fn arguments() -> impl Strategy<Value = String> {
    let key = prop_oneof![Just("text".to_owned()), Just("times".to_owned()), ".{0,3}"];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..9u32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
    ];
    let json = scalar.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop_oneof![
        json.prop_map(|json| json.to_string()),
        any::<String>(),
        r#"\{?([{}\[\],:"'\\]|text|times|1|True| |\n|é){0,30}"#
    ]
}

proptest! {
    #[test]
    fn every_call_has_an_output_that_is_json(
        name in prop_oneof![Just("echo".to_owned()), Just("fail".to_owned()), any::<String>()],
        arguments in arguments(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let output = runtime.block_on(output(&name, arguments));
        prop_assert!(serde_json::from_str::<Value>(&output).is_ok(), "{output}");
    }
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_mock_stands_in_for_a_tool() {
    let mut mock = ropewalk_tools::MockTool::new();
    mock.expect_definition().returning(|| Function::new("mocked"));
    mock.expect_call().returning(|_, _| Ok(json!(1)));
    let registry = Registry::new().add(mock).unwrap();
    assert_eq!(
        registry.call(&call("mocked", ""), &ToolContext::default()).await,
        ToolOutput::new("call_1", "1")
    );
}
