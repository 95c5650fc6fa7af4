use ropewalk_types::{ENDPOINTS, endpoint};

use super::*;
use rule::Node;

fn answer<T: std::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    match answer {
        Ok(_) => "fits".to_owned(),
        Err(error) => {
            let (param, code, message) = error.parts();
            format!("{} | {} | {message}", param.unwrap_or("-"), code.unwrap_or("-"))
        }
    }
}

fn body<E: Endpoint>(body: &str) -> String
where
    E::Body: std::fmt::Debug,
{
    answer(RequestSchema::<E>::new().read_body(body.as_bytes()))
}

fn query<E: Endpoint>(query: &str) -> String
where
    E::Query: std::fmt::Debug,
{
    answer(RequestSchema::<E>::new().read_query(query))
}

#[test]
fn every_fault_names_its_place() {
    let long = "x".repeat(70);
    let deep = format!(r#"{{"metadata":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let bodies = [
        r#"{"assistant_id":"asst_1"}"#,
        r#"{"assistant_id":"undefined"}"#,
        r#"{"assistant_id":["asst_1"]}"#,
        r#"{"assistant_id":"asst_1","model":""}"#,
        r#"{"assistant_id":"asst_1","model":null}"#,
        r#"{"assistant_id":"asst_1","assistant_id":"asst_2"}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"function","function":{"name":"a","name":"b"}}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"function","function":["a"]}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"function","function":{"name":"a","extra":1}}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"function","function":{"name":"a","parameters":7}}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"code_interpreter"},{}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":7}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"file_search","file_search":{"max_num_results":51}}]}"#,
        r#"{"assistant_id":"asst_1","tools":[{"type":"file_search","file_search":{"ranking_options":{}}}]}"#,
        r#"{"assistant_id":"asst_1","tools":{}}"#,
        r#"{"assistant_id":"asst_1","additional_messages":[{"role":"user","content":"a"},{"role":"tool","content":"a"}]}"#,
        r#"{"assistant_id":"asst_1","additional_messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
        r#"{"assistant_id":"asst_1","additional_messages":[{"role":"user","content":{}}]}"#,
        r#"{"assistant_id":"asst_1","additional_messages":[{"role":"user","content":"a","attachments":[{"file_id":"file-1","tools":[{"type":"function"}]}]}]}"#,
        r#"{"assistant_id":"asst_1","tool_choice":"some"}"#,
        r#"{"assistant_id":"asst_1","tool_choice":{"type":"function","function":{}}}"#,
        r#"{"assistant_id":"asst_1","tool_choice":7}"#,
        r#"{"assistant_id":"asst_1","response_format":"json"}"#,
        r#"{"assistant_id":"asst_1","response_format":{"type":"json_schema","json_schema":{"strict":true}}}"#,
        r#"{"assistant_id":"asst_1","truncation_strategy":{"type":"last_messages","last_messages":0}}"#,
        r#"{"assistant_id":"asst_1","reasoning_effort":"much"}"#,
        r#"{"assistant_id":"asst_1","max_prompt_tokens":300.5}"#,
        r#"{"assistant_id":"asst_1","max_prompt_tokens":1e30}"#,
        r#"{"assistant_id":"asst_1","temperature":-0.5}"#,
        r#"{"assistant_id":"asst_1","stream":"yes"}"#,
        r#"{"assistant_id":"asst_1","metadata":{"a":1}}"#,
        &format!(r#"{{"assistant_id":"asst_1","metadata":{{"{long}":"v"}}}}"#),
        r#"{"stream":7,"nobody":1}"#,
        r#"null"#,
        r#"{"assistant_id":"asst_1"} x"#,
        &deep,
    ];
    let transcript: Vec<String> = bodies
        .iter()
        .map(|sent| format!("{}\n    {}", path::shown(sent), body::<endpoint::CreateRun>(sent)))
        .collect();
    insta::assert_snapshot!(transcript.join("\n"));
}

#[test]
fn a_query_is_read_as_its_schema_says() {
    let queries =
        ["", "limit=5&order=asc&unheard_of=1", "limit=5&limit=6", "limit=+", "run_id=x", "limit=1e2"];
    let transcript: Vec<String> = queries
        .iter()
        .map(|sent| format!("?{sent}\n    {}", query::<endpoint::ListMessages>(sent)))
        .collect();
    insta::assert_snapshot!(transcript.join("\n"));
    let read = RequestSchema::<endpoint::ListThreads>::new()
        .read_query("metadata%5Ba%5D=1&metadata[b]=x%20y&limit=7&created_after=0")
        .unwrap();
    let notes = read.metadata.unwrap_or_default();
    assert_eq!((notes["a"].as_str(), notes["b"].as_str()), ("1", "x y"));
    assert_eq!((read.limit, read.created_after), (Some(7), Some(0)));
    assert!(query::<endpoint::ListThreads>("metadata[a]=1&metadata[a]=2").starts_with("metadata.a | "));
}

#[test]
fn brackets_lead_into_objects_and_no_deeper_than_the_schema() {
    type Threads = endpoint::ListThreads;
    assert_eq!(
        query::<Threads>("metadata[a][b]=1"),
        "metadata.a | invalid_type | Invalid type for 'metadata.a': expected a string, but got an object instead."
    );
    assert!(
        query::<Threads>("metadata[a]=1&metadata[a][a]=1").starts_with("metadata.a | invalid_value | Dup")
    );
    assert!(query::<Threads>("limit[a]=1").starts_with("limit | invalid_type | "));
    assert!(query::<Threads>(&format!("metadata[{}]=1", "a][".repeat(100_000))).starts_with("metadata.a | "));
    assert_eq!(query::<Threads>("x[a]=1&x=2&x=3"), "fits");

    let schema = RequestSchema::<endpoint::CreateFile>::new();
    let long = "x".repeat(10_000);
    let unknown = answer(schema.read_form([(long.as_str(), "1"), ("purpose", "assistants")]).map(drop));
    assert!(unknown.contains("Unknown parameter: 'xxx") && unknown.len() < 500, "{unknown}");
    let nested = [
        ("purpose", "assistants"),
        ("expires_after[seconds]", "3600"),
        ("expires_after[anchor][a]", "created_at"),
    ];
    assert!(answer(schema.read_form(nested).map(drop)).starts_with("expires_after.anchor | invalid_type | "));
}

#[test]
fn a_filter_spelt_wrong_deletes_no_threads() {
    let wrong = query::<endpoint::DeleteThreads>("assistant_id=asst_1&created_befor=5");
    assert_eq!(wrong, "created_befor | unknown_parameter | Unknown parameter: 'created_befor'.");
    assert_eq!(query::<endpoint::DeleteThreads>("metadata[a]=1&dry_run=true&created_before=5"), "fits");
}

#[test]
fn each_text_of_a_search_has_its_bound() {
    let search = |text: &str| body::<endpoint::SearchVectorStore>(&format!(r#"{{"query":["x","{text}"]}}"#));
    assert_eq!(search(&"x".repeat(16_384)), "fits");
    assert!(search(&"x".repeat(16_385)).starts_with("query[1] | string_above_max_length | "));
}

#[test]
fn an_endpoint_without_a_body_takes_any() {
    assert_eq!(body::<endpoint::CancelRun>("{}"), "fits");
    assert_eq!(body::<endpoint::CancelRun>("what?"), "fits");
    assert_eq!(body::<endpoint::CreateThread>(""), "fits");
    assert_ne!(body::<endpoint::CreateRun>(""), "fits");
}

/// The compiler of rules knows all that our schemas say.
#[test]
fn every_schema_of_a_request_becomes_rules() {
    for row in ENDPOINTS {
        for schema in [row.schemas.query, row.schemas.body] {
            let mut generator = request_schemas();
            let root = schema(&mut generator).to_value();
            let definitions = generator.take_definitions(true);
            let rules = compile::compile(&root, &definitions);
            for node in (0..rules.rules.len()).map(Node) {
                let rule = rules.get(node);
                assert!(rule.forms.len() < 2 || rule.tag.is_some(), "{}: {rule:?}", row.name);
            }
            let text = Value::Object(definitions).to_string();
            assert!(!text.contains("\"allOf\"") && !text.contains("\"not\""), "{}", row.name);
            for pattern in text.split("\"pattern\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(pattern::Pattern::parse(pattern).is_some(), "{}: {pattern}", row.name);
            }
        }
    }
}
