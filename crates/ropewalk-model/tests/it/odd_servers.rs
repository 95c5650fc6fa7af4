use axum::{Router, response::Response, routing::post};
use bytes::Bytes;
use futures_util::stream;
use proptest::{collection::vec, prelude::*};
use ropewalk_model::{ChatMessage, ModelRequest};

use crate::support::{events, in_process, reply, transcript};

/// What servers send, each with what is odd about it. Lines that are JSON are sent as events.
const SERVERS: [(&str, &str); 20] = [
    (
        "the API itself",
        r#"
{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}
{"choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}
{"choices":[{"index":0,"delta":{"content":"lo \"wörld\" \ud83e\uddf5"},"finish_reason":null}],"usage":null}
{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}
{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{}}}
data: [DONE]"#,
    ),
    (
        "the API itself, with parallel calls",
        r#"
{"choices":[{"delta":{"role":"assistant","content":null}}]}
{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"get_stock_price","arguments":""}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"ticker\":"}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"AAPL\"}"}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"call_b","function":{"name":"get_stock_price","arguments":""}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"ticker\":\"MSFT\"}"}}]}}]}
{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}
data: [DONE]"#,
    ),
    ("a refusal", r#"{"choices":[{"delta":{"refusal":"No."},"finish_reason":"stop"}]}"#),
    (
        "comments, event names, ids, blank data, no [DONE]",
        r#": keep-alive
event: message
id: 7
{"choices":[{"delta":{"content":"a"}}]}
retry: 10
data:
{"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}
: bye"#,
    ),
    (
        "text and call in one chunk, no index, no id, an object for arguments, finish `stop`",
        r#"
{"choices":[{"delta":{"content":"So: ","tool_calls":[{"function":{"name":"f","arguments":{"a":null,"b":[1]}}},{"function":{"name":"g","arguments":""}}]},"finish_reason":"stop"}]}"#,
    ),
    (
        "whole calls with ids that are all number 0",
        r#"
{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"y","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
    ),
    (
        "id and name in every part, numbers that begin at 1",
        r#"
{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"x","function":{"name":"f","arguments":"{"}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"x","function":{"name":"f","arguments":"}"}}]},"finish_reason":"tool_calls"}]}"#,
    ),
    (
        "empty strings for what is absent, ids but no numbers",
        r#"
{"choices":[{"delta":{"content":"","tool_calls":[{"id":"x","function":{"name":"f","arguments":null}}]},"finish_reason":""}]}
{"choices":[{"delta":{"tool_calls":[{"id":"y","function":{"name":"g"}}]},"finish_reason":""}]}
{"choices":[{"delta":{"tool_calls":[{"id":"x","function":{"name":"","arguments":"{}"}}]}}]}
{"choices":[{"delta":{"tool_calls":[{"id":"","function":{"name":"","arguments":"[]"}}]},"finish_reason":"tool_calls"}]}"#,
    ),
    (
        "thoughts, and content in parts",
        r#"
{"choices":[{"delta":{"reasoning_content":"hm","reasoning":"hm","content":null}}]}
{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"Well"}]}}]}
{"choices":[{"delta":{"content":"."},"finish_reason":"eos"}]}"#,
    ),
    (
        "usage in every chunk without a total, the finish repeated",
        r#"
{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}
{"choices":[{"delta":{},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}
{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    ),
    (
        "no choices but a filter's notes, first",
        r#"{"choices":[],"prompt_filter_results":[]}
{"choices":null}
{"choices":[{"delta":null,"finish_reason":"stop"}]}"#,
    ),
    ("a finish that lacks its blank line", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\ncut"),
    ("no finish", r#"{"choices":[{"delta":{"content":"a"}}]}"#),
    ("no finish but [DONE]", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: [DONE]"),
    (
        "a frame cut in its middle",
        "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: {\"choices\":[{\"de\ncut",
    ),
    ("nothing at all", ""),
    (
        "an error amid the answer",
        r#"
{"choices":[{"delta":{"content":"a"}}]}
{"error":{"message":"Slow down.","type":"requests","code":"rate_limit_exceeded"}}
{"choices":[{"delta":{"content":"never read"}}]}"#,
    ),
    ("an event named error", "event: error\ndata: {\"message\":\"The GPU fell off the bus.\",\"code\":500}"),
    ("an error without its blank line", "{\"error\":\"Too long for me.\"}\ncut"),
    ("no JSON", "data: <p>Welcome to the captive portal.</p>"),
];

/// The bytes that `lines` stand for; a last line `cut` leaves out the blank line before it.
fn bytes(lines: &str) -> Vec<u8> {
    let mut bytes = String::new();
    for line in lines.trim().lines() {
        match line {
            "cut" => bytes.truncate(bytes.trim_end().len()),
            line if line.starts_with('{') => bytes.push_str(&format!("data: {line}\n\n")),
            line if line.starts_with("data:") => bytes.push_str(&format!("{line}\n\n")),
            line => bytes.push_str(&format!("{line}\n")),
        }
    }
    bytes.into_bytes()
}

async fn told(reply: impl Fn() -> Response + Clone + Send + Sync + 'static) -> String {
    let upstream = Router::new().route("/v1/chat/completions", post(move || async move { reply() }));
    transcript(&in_process(upstream), &ModelRequest::new("any").message(ChatMessage::user("hi"))).await
}

#[tokio::test]
async fn every_server_is_understood() {
    let mut transcripts = String::new();
    for (name, lines) in SERVERS {
        let whole = Bytes::from(bytes(lines));
        let told = told(move || events([whole.clone()])).await;
        transcripts.push_str(&format!("{name}\n{told}\n"));
    }
    insta::assert_snapshot!(transcripts);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let json = r#"{"choices":[{"message":{"role":"assistant","content":"Hello","tool_calls":[
        {"id":"x","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"y","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}],
        "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let whole = |json: &'static str| {
        let pieces = move || json.as_bytes().chunks(7).map(Bytes::from_static);
        told(move || reply("application/json; charset=utf-8", stream::iter(pieces())))
    };
    let expected = "text \"Hello\"\ncall 0 x f {}\ncall 1 y f {}\nusage 1 + 2 = 3\nfinish ToolCalls\n";
    assert_eq!(whole(json).await, expected);
    let error = whole(r#"{"error":{"message":"Full.","type":"overloaded"}}"#).await;
    assert_eq!(error, "error Unavailable: the model's server is not available; Full.\n");
    let unknown = "error Protocol: the model's server does not speak Chat Completions; no more is known\n";
    assert_eq!(whole(r#"{"hello":"world"}"#).await, unknown);
    assert_eq!(told(|| reply("text/html", stream::empty())).await, unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the upstream's bytes are cut, the events are the same.
    #[test]
    fn cuts_change_nothing(server in 0..SERVERS.len(), cuts in vec(1..40usize, 1..40)) {
        let bytes = bytes(SERVERS[server].1);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*cut));
            pieces.push(Bytes::copy_from_slice(piece));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (cut, whole) = runtime.block_on(async {
            (told(move || events(pieces.clone())).await, told(move || events([Bytes::from(bytes.clone())])).await)
        });
        prop_assert_eq!(cut, whole);
    }
}
