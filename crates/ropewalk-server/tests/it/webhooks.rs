use std::sync::Arc;

use axum::{Router, body::Bytes, extract::Path, routing::post};
use http::{HeaderMap, Method, StatusCode};
use ropewalk_model::{ScriptedModel, Turn};
use ropewalk_server::Runtime;
use ropewalk_store::{Blobs, Store};
use ropewalk_types::UnixSeconds;
use ropewalk_webhooks::{Endpoints, NewEndpoint, SigningSecret};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::app::App;

/// A server whose webhooks are all at one receiver, each at the path of its organisation.
struct World {
    app: App,
    secret: SigningSecret,
    told: mpsc::UnboundedReceiver<(String, HeaderMap, Bytes)>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl World {
    async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let (telling, told) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receive = async move |Path(path): Path<String>, headers: HeaderMap, body: Bytes| {
            telling.send((path, headers, body)).unwrap();
        };
        let receiver = Router::new().route("/{path}", post(receive));
        let receiver = tokio::spawn(async move { axum::serve(listener, receiver).await.unwrap() });

        let store = Store::in_memory();
        let endpoints = Endpoints::new(&store);
        let mut secrets = Vec::new();
        for organization in ["org-a", "org-b"] {
            let new = NewEndpoint::new(organization, format!("http://{address}/{organization}"));
            secrets.push(endpoints.create(new, UnixSeconds(1)).await.unwrap().secret);
        }
        let mut options = App::options();
        options.webhooks.allow_private = true;
        let model = Arc::new(ScriptedModel::with_turns(turns));
        let runtime = Runtime::new(store.clone(), Blobs::in_memory(), model, options);
        runtime.prepare().await;
        let worker = runtime.clone();
        let worker = tokio::spawn(async move { worker.work(CancellationToken::new()).await });
        let tasks = [receiver, worker].map(AbortOnDropHandle::new);
        Self { app: App::of(runtime, store), secret: secrets.remove(0), told, _tasks: tasks }
    }

    /// What the first organisation is told next: the name of the event, and the run.
    async fn told(&mut self) -> (String, Value) {
        let (path, headers, body) = self.told.recv().await.unwrap();
        assert_eq!(path, "org-a");
        let header = |name| headers[name].to_str().unwrap();
        let timestamp = header("webhook-timestamp").parse().unwrap();
        let signature = self.secret.sign(header("webhook-id"), timestamp, &body);
        assert_eq!(header("webhook-signature"), signature);
        let mut told: Value = serde_json::from_slice(&body).unwrap();
        (told["type"].as_str().unwrap().to_owned(), told["data"].take())
    }
}

#[tokio::test]
async fn every_status_of_a_run_is_told_in_order_to_its_own_organisation() {
    let mut world = World::new([Turn::calls([("quote", "{}")]), Turn::text("Done.")]).await;
    let tool = json!({ "type": "function", "function": { "name": "quote" } });
    let assistant =
        world.app.make("/v1/assistants", &json!({ "model": "m", "tools": [tool] }).to_string()).await;
    let run = json!({ "assistant_id": assistant }).to_string();
    world.app.make("/v1/threads/runs", &run).await;
    let mut told = Vec::new();
    for status in ["queued", "in_progress", "requires_action"] {
        let (name, run) = world.told().await;
        assert_eq!((name, &run["status"]), (format!("thread.run.{status}"), &json!(status)));
        told.push(run);
    }
    let path = format!(
        "/v1/threads/{}/runs/{}",
        told[2]["thread_id"].as_str().unwrap(),
        told[2]["id"].as_str().unwrap()
    );
    assert_eq!(
        world.app.send(Method::GET, &path, "").await,
        (StatusCode::OK, told[2].clone()),
        "as the API shows it"
    );

    let call = &told[2]["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"];
    let outputs = json!({ "tool_outputs": [{ "tool_call_id": call, "output": "7" }] }).to_string();
    let (status, submitted) =
        world.app.send(Method::POST, &format!("{path}/submit_tool_outputs"), &outputs).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    let mut names = Vec::new();
    loop {
        let (name, run) = world.told().await;
        names.push(name);
        if run["status"] == "completed" {
            assert_eq!(world.app.send(Method::GET, &path, "").await.1, run);
            break;
        }
    }
    assert_eq!(names, ["thread.run.queued", "thread.run.in_progress", "thread.run.completed"]);
}

#[tokio::test]
async fn a_run_that_waits_and_is_cancelled_is_told_so() {
    let mut world = World::new([Turn::calls([("quote", "{}")])]).await;
    let tool = json!({ "type": "function", "function": { "name": "quote" } });
    let assistant =
        world.app.make("/v1/assistants", &json!({ "model": "m", "tools": [tool] }).to_string()).await;
    world.app.make("/v1/threads/runs", &json!({ "assistant_id": assistant }).to_string()).await;
    let waiting = loop {
        let (name, run) = world.told().await;
        if name == "thread.run.requires_action" {
            break run;
        }
    };
    let text = |member: &str| waiting[member].as_str().unwrap();
    let path = format!("/v1/threads/{}/runs/{}/cancel", text("thread_id"), text("id"));
    assert_eq!(world.app.send(Method::POST, &path, "").await.0, StatusCode::OK);
    assert_eq!(world.told().await.0, "thread.run.cancelling");
    assert_eq!(world.told().await.0, "thread.run.cancelled");
}
