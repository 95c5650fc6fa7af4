use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::json;

use super::{
    collector::{Collector, attributes},
    upstream::{ANSWER, REFUSED, Upstream},
    watched::Watched,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The tree of spans, each with its attributes; what differs each time is named.
fn tree(spans: &[Span]) -> String {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let mut lines = Vec::new();
    for span in &spans {
        let parent = spans.iter().find(|other| other.span_id == span.parent_span_id);
        let parent = match parent {
            Some(parent) => parent.name.as_str(),
            None if hex(&span.parent_span_id) == CALLER => "the caller",
            None => "nobody",
        };
        let kind = SpanKind::try_from(span.kind).unwrap().as_str_name();
        lines.push(format!("{} · {kind} · below {parent}", span.name));
        if let Some(status) = span.status.as_ref().filter(|status| status.code != 0) {
            lines.push(format!("    status {:?}", status.code()));
        }
        let named = |(name, value): (String, String)| match &*name {
            "gen_ai.agent.id" | "gen_ai.conversation.id" | "ropewalk.run.id" => {
                format!("    {name} = {}…", value.split('_').next().unwrap())
            }
            "gen_ai.response.time_to_first_chunk" => {
                assert!(value.parse::<f64>().unwrap() > 0.0);
                format!("    {name} = …")
            }
            _ => format!("    {name} = {value}"),
        };
        lines.extend(attributes(&span.attributes).into_iter().map(named));
    }
    lines.join("\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_sent_the_tree_of_a_run_in_the_trace_of_its_caller() {
    let (folder, collector, upstream) =
        (tempfile::tempdir().unwrap(), Collector::default(), Upstream::default());
    let (endpoint, host) = (collector.serve().await, upstream.serve().await);
    let served = Watched::start(folder.path(), &["--upstream", &host, "--otlp-endpoint", &endpoint]);
    let tools = json!([{"type": "file_search"}]);
    let assistant = served
        .make("/v1/assistants", json!({"model": "m-1", "name": "Guide", "tools": tools, "temperature": 0.5}))
        .await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let events = served.run(&assistant, "Where is the heron?", &[("traceparent", &parent)]).await;
    assert!(events.contains(ANSWER), "{events}");
    served.stop();

    let received = collector.received();
    assert_eq!(received.resource["service.name"], "ropewalk");
    assert!(received.spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    insta::assert_snapshot!(tree(&received.spans));
    let all = format!("{:?}", received.spans);
    assert!(!all.contains("heron"), "what was said is in a span: {all}");

    let agent = received.spans.iter().find(|span| span.name == "invoke_agent Guide").unwrap();
    let chats: Vec<&Span> = received.spans.iter().filter(|span| span.name == "chat m-1").collect();
    for span in &received.spans {
        assert!(agent.start_time_unix_nano <= span.start_time_unix_nano, "{}", span.name);
        assert!(span.end_time_unix_nano <= agent.end_time_unix_nano, "{}", span.name);
    }
    // The upstream is told the span that asks it.
    let told: Vec<String> = upstream.parents.lock().unwrap().clone();
    let asked: Vec<String> =
        chats.iter().map(|chat| format!("00-{TRACE}-{}-01", hex(&chat.span_id))).collect();
    assert_eq!(told, asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_outputs_and_goes_on_is_two_spans_that_name_it_and_one_that_fails_says_why() {
    let (folder, collector, upstream) =
        (tempfile::tempdir().unwrap(), Collector::default(), Upstream::default());
    let (endpoint, host) = (collector.serve().await, upstream.serve().await);
    let served = Watched::start(folder.path(), &["--upstream", &host, "--otlp-endpoint", &endpoint]);
    // The upstream calls `file_search`, which is the caller's own function here.
    let function = json!({"type": "function", "function": {"name": "file_search", "parameters": {}}});
    let assistant = served.make("/v1/assistants", json!({"model": "m-1", "tools": [function]})).await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let events = served.run(&assistant, "Where is the heron?", &[("traceparent", &parent)]).await;
    let run = events.split("\"run_").nth(1).and_then(|text| text.split('"').next()).unwrap();
    let thread = events.split("\"thread_").nth(1).and_then(|text| text.split('"').next()).unwrap();
    let outputs = json!([{"tool_call_id": "call_1", "output": "in the willow"}]);
    let path = format!("/v1/threads/thread_{thread}/runs/run_{run}/submit_tool_outputs");
    let (status, events) = served.post(&path, json!({"tool_outputs": outputs, "stream": true})).await;
    assert!(status == 200 && events.contains(ANSWER), "{events}");
    served.run(&assistant, REFUSED, &[]).await;
    served.stop();

    let received = collector.received();
    let mut stretches = BTreeMap::new();
    for span in received.spans.iter().filter(|span| span.name == "invoke_agent") {
        let said = attributes(&span.attributes);
        let error = said.get("error.type").cloned().unwrap_or_default();
        let stretch = (said["ropewalk.run.fence"].clone(), said["ropewalk.run.status"].clone(), error);
        let of_run: &mut Vec<_> = stretches.entry(said["ropewalk.run.id"].clone()).or_default();
        of_run.push(stretch);
        of_run.sort();
    }
    let seen: Vec<Vec<String>> = stretches
        .into_values()
        .map(|of_run| of_run.iter().map(|(_, status, error)| format!("{status} {error}")).collect())
        .collect();
    assert_eq!(seen, [vec!["requires_action ", "completed "], vec!["failed invalid_prompt"]]);
    // Whoever goes on with it finds the trace with the run.
    let below_caller = received.spans.iter().filter(|span| hex(&span.parent_span_id) == CALLER);
    assert_eq!(below_caller.count(), 2);
    let failed = received.spans.iter().filter(|span| span.name == "chat m-1");
    let errors: Vec<_> =
        failed.filter_map(|span| attributes(&span.attributes).remove("error.type")).collect();
    assert_eq!(errors, ["invalid_request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served = Watched::start(folder.path(), &["--otlp-endpoint", &format!("http://{gone}")]);
    let assistant = served.make("/v1/assistants", json!({"model": "m"})).await;
    assert!(served.run(&assistant, "hello", &[]).await.contains("thread.run.completed"));
    let log = served.stop();
    assert!(log.contains("traces are lost"), "{log}");
}
