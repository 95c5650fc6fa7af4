use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    Extent, assistants,
    connection::Connection,
    server::{Keys, Server},
};

/// Connections that ask without a pause.
const AT_ONCE: usize = 16;

/// What a request costs before it has anything to do.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) what: String,
    pub(crate) per_second: f64,
    /// The server's.
    pub(crate) cpu: Duration,
}

/// Reads a thread, with each way to know the caller; then has runs checked of an assistant that is not there.
pub(crate) async fn measure(ropewalk: &Path, extent: Extent) -> anyhow::Result<Vec<Requests>> {
    let upstream = Server::upstream()?;
    let mut measured = Vec::new();
    for (keys, name) in
        [(Keys::None, "no keys"), (Keys::File, "a file of keys"), (Keys::Stored, "stored keys")]
    {
        let server = Server::ropewalk_with(keys, ropewalk, upstream.address)?;
        let mut connection = Connection::open(server.address).await?.with_key(&server.key);
        let path = format!("/v1/threads/{}", assistants::create_thread(&mut connection).await?);
        measured.push(ask(&server, format!("get a thread, {name}"), &path, None, extent.window).await?);
        if matches!(keys, Keys::File) {
            for (size, body) in [("small", small()), ("large", large())] {
                let (what, path) =
                    (format!("check a run, {size}: {} bytes", body.len()), format!("{path}/runs"));
                measured.push(ask(&server, what, &path, Some(&body), extent.window).await?);
            }
        }
    }
    Ok(measured)
}

/// Gets `path`, or posts `body` there in vain, again and again.
async fn ask(
    server: &Server,
    what: String,
    path: &str,
    body: Option<&str>,
    window: Duration,
) -> anyhow::Result<Requests> {
    let (begun, before) = (Instant::now(), server.cpu()?);
    let mut askers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let mut connection = Connection::open(server.address).await?.with_key(&server.key);
        let (path, body) = (path.to_owned(), body.map(str::to_owned));
        askers.spawn(async move {
            let mut requests = 0_u32;
            while begun.elapsed() < window {
                match &body {
                    None => connection.get(&path).await.map(drop)?,
                    Some(body) => connection.post_in_vain(&path, body).await?,
                }
                requests += 1;
            }
            anyhow::Ok(requests)
        });
    }
    let requests: u32 = askers.join_all().await.into_iter().sum::<anyhow::Result<_>>()?;
    ensure!(requests > 0, "no request was answered");
    let (lasted, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(before));
    Ok(Requests { what, per_second: f64::from(requests) / lasted.as_secs_f64(), cpu: cpu / requests })
}

fn small() -> String {
    json!({"assistant_id": "asst_absent"}).to_string()
}

/// A run with most of what it may have: functions, messages, metadata.
fn large() -> String {
    let properties =
        json!({"city": {"type": "string", "description": "City and country."}, "days": {"type": "integer"}});
    let tool = |number| {
        let parameters = json!({"type": "object", "properties": properties, "required": ["city"]});
        let function = json!({"name": format!("weather_{number}"), "description": "The weather.", "parameters": parameters});
        json!({"type": "function", "function": function})
    };
    let message = json!({"role": "user", "content": [{"type": "text", "text": "Say 200 words."}]});
    json!({
        "assistant_id": "asst_absent",
        "model": "plain",
        "instructions": "You say what you are asked to say.",
        "tools": (0..16).map(tool).collect::<Vec<_>>(),
        "additional_messages": vec![message; 16],
        "metadata": {"customer": "4711", "tier": "gold"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_prompt_tokens": 4096,
        "max_completion_tokens": 1024,
        "truncation_strategy": {"type": "last_messages", "last_messages": 10},
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
    })
    .to_string()
}
