//! Runs that compute, over sessions that do as they are told: what becomes of outputs, files and faults.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use ropewalk_interpreter::{
    Backend, CellEnd, CellEvent, Error, Interpreter, Layer, Output, testing::ScriptedBackend,
};
use ropewalk_model::{ModelRequest, ScriptedModel, Turn};
use ropewalk_server::CodeInterpreterOptions;
use ropewalk_store::SystemClock;
use serde_json::{Value, json};

use crate::app::App;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Sessions that know these words.
fn scripted() -> ScriptedBackend {
    ScriptedBackend::new(|code, files| {
        let mut events = Vec::new();
        let mut end = CellEnd::Completed;
        for word in code.split_whitespace() {
            match word {
                "draw" => events.push(Output::Image(Bytes::from_static(PNG))),
                "lie" => events.push(Output::Image(Bytes::from_static(b"<svg>"))),
                "write" => drop(files.insert("out/a.csv".to_owned(), Bytes::from_static(b"a,b"))),
                "change" => drop(files.insert("in.txt".to_owned(), Bytes::from_static(b"changed"))),
                "many" => files.extend((0..60).map(|number| (format!("{number}.txt"), Bytes::new()))),
                "list" => {
                    let names: Vec<&str> = files.keys().map(String::as_str).collect();
                    events.push(Output::Text(format!("{names:?}")));
                }
                "lose" => end = CellEnd::Lost { why: "The session ended: it was told to." },
                word => events.push(Output::Text(word.to_owned())),
            }
        }
        events.into_iter().map(CellEvent::Output).chain([CellEvent::End(end)]).collect()
    })
}

/// A server whose model makes these calls in one run after the other, each answered by `answer`.
struct Desk {
    app: App,
    model: Arc<ScriptedModel>,
    assistant: String,
}

impl Desk {
    async fn new(backend: impl Backend, cells: &[&str], answer: &str) -> Self {
        let call = |code: &&str| json!({ "code": code }).to_string();
        let arguments: Vec<String> = cells.iter().map(call).collect();
        let turns = arguments.iter().flat_map(|arguments| {
            [Turn::calls([("code_interpreter", arguments.as_str())]), Turn::text(answer)]
        });
        Self::with(CodeInterpreterOptions::new(Arc::new(backend)), turns.collect()).await
    }

    async fn with(interpreter: CodeInterpreterOptions, turns: Vec<Turn>) -> Self {
        let model = Arc::new(ScriptedModel::with_turns(turns));
        let mut options = App::options();
        options.code_interpreter = Some(interpreter);
        let app = App::over(model.clone(), options, Arc::new(SystemClock));
        let assistant =
            app.make("/v1/assistants", r#"{"model":"m","tools":[{"type":"code_interpreter"}]}"#).await;
        Self { app, model, assistant }
    }

    async fn get(&self, path: &str) -> Value {
        let (status, object) = self.app.send(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{object}");
        object
    }

    async fn thread(&self) -> String {
        let thread = self.app.make("/v1/threads", r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
        format!("/v1/threads/{thread}")
    }

    /// The next run; gives it once it is over, and the outputs of its cell.
    async fn run(&self, thread: &str) -> (Value, Value) {
        let body = json!({ "assistant_id": self.assistant }).to_string();
        let run = self.app.make(&format!("{thread}/runs"), &body).await;
        let path = format!("{thread}/runs/{run}");
        let run = loop {
            let run = self.get(&path).await;
            if !["queued", "in_progress"].contains(&run["status"].as_str().unwrap()) {
                break run;
            }
            tokio::task::yield_now().await;
        };
        let steps = self.get(&format!("{path}/steps?order=asc")).await;
        let cell = &steps["data"][0]["step_details"]["tool_calls"][0]["code_interpreter"];
        (run, cell["outputs"].clone())
    }

    /// The newest message of a thread.
    async fn answer(&self, thread: &str) -> Value {
        self.get(&format!("{thread}/messages")).await["data"][0]["content"].clone()
    }

    /// What the model was shown of its last cell.
    fn shown(&self) -> String {
        let requests: Vec<ModelRequest> = self.model.requests();
        let tool =
            requests.iter().rev().flat_map(|request| request.messages.iter().rev()).find_map(|message| {
                match message {
                    ropewalk_model::ChatMessage::Tool { output, .. } => Some(output.clone()),
                    _ => None,
                }
            });
        tool.unwrap()
    }
}

#[tokio::test]
async fn figures_and_files_become_files_of_the_api() {
    let desk =
        Desk::new(scripted(), &["one draw two write", "list"], "See sandbox:/mnt/data/out/a.csv.").await;
    let thread = desk.thread().await;
    let (run, outputs) = desk.run(&thread).await;
    assert_eq!(run["status"], "completed", "{run}");
    let kinds: Vec<&str> =
        outputs.as_array().unwrap().iter().map(|output| output["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["logs", "image", "logs"]);
    let figure = &outputs[1]["image"]["file_id"];
    let answer = desk.answer(&thread).await;
    assert_eq!((&answer[0]["type"], &answer[0]["image_file"]["file_id"]), (&json!("image_file"), figure));
    let path = &answer[1]["text"]["annotations"][0];
    assert_eq!((&path["type"], &path["text"]), (&json!("file_path"), &json!("sandbox:/mnt/data/out/a.csv")));
    let file = desk.get(&format!("/v1/files/{}", path["file_path"]["file_id"].as_str().unwrap())).await;
    assert_eq!(
        (&file["filename"], &file["purpose"], &file["bytes"]),
        (&json!("a.csv"), &json!("assistants_output"), &json!(3))
    );
    insta::assert_snapshot!(desk.shown(), @r"
    onetwo
    [A figure was shown to the user.]
    [Files written, and how to name them to the user: sandbox:/mnt/data/out/a.csv]
    ");
    // What did not change is no new file; the name still leads to it.
    desk.run(&thread).await;
    let again = &desk.answer(&thread).await[0]["text"]["annotations"][0];
    assert_eq!(again["file_path"], path["file_path"]);
}

#[tokio::test]
async fn a_session_that_was_lost_finds_its_files_again_and_the_model_is_told() {
    let desk = Desk::new(scripted(), &["write lose", "list"], "Done.").await;
    let thread = desk.thread().await;
    let (run, outputs) = desk.run(&thread).await;
    assert_eq!(
        (&run["status"], &outputs[0]["logs"]),
        (&json!("completed"), &json!("The session ended: it was told to.\n"))
    );
    assert!(desk.shown().contains("Variables and imports are gone"), "{}", desk.shown());
    let (_, outputs) = desk.run(&thread).await;
    assert_eq!(outputs[0]["logs"], r#"["out/a.csv"]"#);
    assert!(desk.shown().starts_with("[This is a new Python session"), "{}", desk.shown());
}

#[tokio::test]
async fn what_is_no_image_and_what_is_too_much_is_left_out_and_said() {
    let desk = Desk::new(scripted(), &["lie many"], "Done.").await;
    let (run, outputs) = desk.run(&desk.thread().await).await;
    assert_eq!((&run["status"], &outputs), (&json!("completed"), &json!([])));
    let shown = desk.shown();
    assert!(shown.contains("it is no image") && shown.contains("10 more files were written"), "{shown}");
}

#[tokio::test]
async fn layers_that_are_lifted_are_named_in_the_step() {
    #[derive(Debug)]
    struct Lifted(ScriptedBackend);

    #[async_trait]
    impl Backend for Lifted {
        async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
            self.0.begin().await
        }

        fn lifted(&self) -> BTreeSet<Layer> {
            BTreeSet::from([Layer::Seccomp, Layer::Uid])
        }
    }

    let desk = Desk::new(Lifted(scripted()), &["hi"], "Done.").await;
    let (_, outputs) = desk.run(&desk.thread().await).await;
    assert_eq!(outputs[0]["logs"], "[Sandbox: the operator lifted its layers uid, seccomp.]\nhi");
}

#[tokio::test]
async fn a_wall_that_does_not_hold_ends_the_run_with_its_reason() {
    #[derive(Debug)]
    struct Refusing;

    #[async_trait]
    impl Backend for Refusing {
        async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
            Err(Error::Layer { layer: Layer::Seccomp, why: "not permitted".to_owned() })
        }
    }

    let desk = Desk::new(Refusing, &["hi"], "Done.").await;
    let (run, _) = desk.run(&desk.thread().await).await;
    assert_eq!(run["status"], "failed");
    let message = run["last_error"]["message"].as_str().unwrap();
    for part in ["`seccomp`", "not permitted", "CONFIG_SECCOMP_FILTER", "--interpreter-lift seccomp"] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_session_that_does_not_begin_is_told_to_the_model() {
    let backend = scripted();
    backend.fail(true);
    let desk = Desk::new(backend, &["hi"], "It failed.").await;
    let (run, _) = desk.run(&desk.thread().await).await;
    assert_eq!(run["status"], "completed");
    assert!(desk.shown().contains("`code_interpreter` failed on the server"), "{}", desk.shown());
}

#[tokio::test]
async fn a_deleted_thread_has_no_session() {
    let backend = scripted();
    let desk = Desk::new(backend.clone(), &["hi"], "Done.").await;
    let thread = desk.thread().await;
    desk.run(&thread).await;
    assert_eq!(backend.live(), 1);
    desk.app.send(Method::DELETE, &thread, "").await;
    assert_eq!(backend.live(), 0);
}

#[tokio::test]
async fn an_organisation_whose_sessions_are_all_in_use_leaves_room_to_another() {
    let backend = ScriptedBackend::new(|code, _| match code {
        "for ever" => Vec::new(),
        _ => vec![CellEvent::End(CellEnd::Completed)],
    });
    let mut options = CodeInterpreterOptions::new(Arc::new(backend.clone()));
    (options.pool.most, options.pool.most_per_owner) = (2, Some(1));
    let call = |code| Turn::calls([("code_interpreter", json!({ "code": code }).to_string().as_str())]);
    let turns = vec![call("for ever"), call("waits"), call("runs"), Turn::text("Done.")];
    let desk = Desk::with(options, turns).await;
    let tool = json!({ "model": "m", "tools": [{ "type": "code_interpreter" }] }).to_string();
    let mut runs = Vec::new();
    for (asked, key) in ["sk-a", "sk-a", "sk-b"].into_iter().enumerate() {
        let (_, assistant) = desk.app.send_as(key, Method::POST, "/v1/assistants", &tool).await;
        let run = json!({ "assistant_id": assistant["id"], "thread": { "messages": [] } }).to_string();
        let (_, run) = desk.app.send_as(key, Method::POST, "/v1/threads/runs", &run).await;
        let [thread, run] = ["thread_id", "id"].map(|id| run[id].as_str().unwrap().to_owned());
        runs.push((key, format!("/v1/threads/{thread}/runs/{run}")));
        while desk.model.requests().len() <= asked {
            tokio::task::yield_now().await;
        }
    }
    let status = async |(key, path): &(&str, String)| {
        desk.app.send_as(key, Method::GET, path, "").await.1["status"].clone()
    };
    while status(&runs[2]).await == "in_progress" {
        tokio::task::yield_now().await;
    }
    let statuses = [status(&runs[0]).await, status(&runs[1]).await, status(&runs[2]).await];
    assert_eq!(statuses, ["in_progress", "in_progress", "completed"]);
    assert_eq!(backend.begun(), 2);
}
