use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ropewalk_model::{FinishReason, ModelEvent, Turn};
use ropewalk_server::BusyPolicy;
use serde_json::{Value, json};

use crate::app::App;

/// An assistant, a thread, and where the runs of that are.
async fn begun(app: &App) -> (String, String) {
    let assistant = app.make("/v1/assistants", r#"{"model":"m"}"#).await;
    let thread = app.make("/v1/threads", r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
    (json!({ "assistant_id": assistant }).to_string(), format!("/v1/threads/{thread}/runs"))
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

async fn over(app: &App, path: &str) -> Value {
    loop {
        let request = with(App::request(Method::GET, path, ""), "prefer", "wait=5");
        let (_, run) = app.raw(request).await;
        let status = run["status"].as_str().unwrap();
        if !["queued", "in_progress", "cancelling"].contains(&status) {
            return run;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_thread_does_as_the_request_says_or_else_as_the_server_says() {
    for by_request in [true, false] {
        let mut options = App::options();
        if !by_request {
            options.busy = BusyPolicy::Queue;
        }
        let slow = Turn::new().wait(tokio::time::sleep(Duration::from_secs(3)));
        let slow =
            slow.event(ModelEvent::Text("One.".to_owned())).event(ModelEvent::Finish(FinishReason::Stop));
        let app = App::with(options, [slow, Turn::text("Two."), Turn::text("Three.")]);
        let (body, runs) = begun(&app).await;
        let messages = runs.replace("/runs", "/messages");
        app.make(&runs, &body).await;
        let send = async |path: &str, body: &str, busy: &str| {
            let request = App::request(Method::POST, path, body);
            app.raw(if by_request { with(request, "x-ropewalk-busy", busy) } else { request }).await
        };
        let (status, message) = send(&messages, r#"{"role":"user","content":"y"}"#, "queue").await;
        assert_eq!(status, StatusCode::OK, "{message}");
        let (status, run) = send(&runs, &body, "queue").await;
        assert_eq!((status, &run["status"]), (StatusCode::OK, &json!("queued")), "{run}");
        let notes = json!({ "metadata": { "seen": "yes" } }).to_string();
        let kept = format!("{messages}/{}", message["id"].as_str().unwrap());
        assert_eq!(app.send(Method::POST, &kept, &notes).await.0, StatusCode::OK);
        let run = over(&app, &format!("{runs}/{}", run["id"].as_str().unwrap())).await;
        assert_eq!(run["status"], "completed");
        // To be refused is a policy too, and a word that is none is a mistake on any route.
        app.make(&runs, &body).await;
        let reject = with(App::request(Method::POST, &runs, &body), "x-ropewalk-busy", "reject");
        assert_eq!(app.raw(reject).await.0, StatusCode::BAD_REQUEST);
        let wrong = with(App::request(Method::POST, &runs, &body), "x-ropewalk-busy", "patience");
        let (status, refused) = app.raw(wrong).await;
        assert_eq!(
            (status, &refused["error"]["param"]),
            (StatusCode::BAD_REQUEST, &json!("x-ropewalk-busy"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_get_of_a_run_waits_as_long_as_it_is_asked_to() {
    let slow = Turn::new().wait(tokio::time::sleep(Duration::from_secs(30)));
    let app = App::new([slow.event(ModelEvent::Finish(FinishReason::Stop))]);
    let (body, runs) = begun(&app).await;
    let run = format!("{runs}/{}", app.make(&runs, &body).await);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let get = async |prefer: &str| {
        let begun = tokio::time::Instant::now();
        let response = app.respond(with(App::request(Method::GET, &run, ""), "prefer", prefer)).await;
        let applied =
            response.headers().get("preference-applied").map(|value| value.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let run: Value = serde_json::from_slice(&body).unwrap();
        (begun.elapsed().as_secs(), applied, run["status"].as_str().unwrap().to_owned())
    };
    let applied = |seconds: u64| Some(format!("wait={seconds}"));
    assert_eq!(get("wait=5").await, (5, applied(5), "in_progress".to_owned()));
    assert_eq!(get("wait=soon").await, (0, None, "in_progress".to_owned()));
    assert_eq!(get("wait=3600").await, (24, applied(60), "completed".to_owned()));
    assert_eq!(get("wait=5").await, (0, None, "completed".to_owned()));
}

#[tokio::test]
async fn a_run_expires_when_it_says_or_its_assistant_does() {
    let app = App::new((0..3).map(|_| Turn::text("Hello.")));
    let expiry = |seconds: i64| json!({ "anchor": "created_at", "seconds": seconds });
    let assistant = json!({ "model": "m", "run_expires_after": expiry(86_400) }).to_string();
    let (_, assistant) = app.send(Method::POST, "/v1/assistants", &assistant).await;
    assert_eq!(assistant["run_expires_after"], expiry(86_400));
    let id = assistant["id"].as_str().unwrap();
    let life = async |own: Option<i64>| {
        let mut body = json!({ "assistant_id": id });
        if let Some(own) = own {
            body["expires_after"] = expiry(own);
        }
        let (status, run) = app.send(Method::POST, "/v1/threads/runs", &body.to_string()).await;
        assert!(status == StatusCode::OK || run["error"]["param"] == "expires_after.seconds", "{run}");
        (status == StatusCode::OK)
            .then(|| run["expires_at"].as_i64().unwrap() - run["created_at"].as_i64().unwrap())
    };
    assert_eq!(life(None).await, Some(86_400));
    assert_eq!(life(Some(2_592_000)).await, Some(2_592_000));
    assert_eq!((life(Some(0)).await, life(Some(2_592_001)).await), (None, None));
    let path = format!("/v1/assistants/{id}");
    let (_, assistant) = app.send(Method::POST, &path, r#"{"run_expires_after":null}"#).await;
    assert!(assistant.get("run_expires_after").is_none());
    assert_eq!(life(None).await, Some(600));
}

#[tokio::test]
async fn budgets_are_shown_where_they_are_set_and_end_runs() {
    let app = App::new([Turn::text("Hello."), Turn::text("Hello.")]);
    let (body, runs) = begun(&app).await;
    let thread = runs.replace("/runs", "");
    let budget = json!({ "max_model_calls": 1 });
    let (_, modified) = app.send(Method::POST, &thread, &json!({ "budget": budget }).to_string()).await;
    assert_eq!(modified["budget"], budget);
    let mut body: Value = serde_json::from_str(&body).unwrap();
    body["budget"] = json!({ "max_total_tokens": 1000, "max_seconds": 60 });
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (_, run) = app.send(Method::POST, &runs, &body.to_string()).await;
        assert_eq!(run["budget"], body["budget"]);
        ends.push(over(&app, &format!("{runs}/{}", run["id"].as_str().unwrap())).await);
    }
    assert_eq!(ends[0]["status"], "completed");
    assert_eq!(ends[1]["incomplete_details"], json!({ "reason": "thread_max_model_calls" }));
    let (_, modified) = app.send(Method::POST, &thread, r#"{"budget":null}"#).await;
    assert!(modified.get("budget").is_none());
    let free = app.make(&runs, &json!({ "assistant_id": body["assistant_id"] }).to_string()).await;
    let free = over(&app, &format!("{runs}/{free}")).await;
    assert_eq!((&free["status"], free.get("budget")), (&json!("completed"), None));
    for wrong in [json!({ "max_total_tokens": 0 }), json!({ "max_days": 1 }), json!({ "max_seconds": "1" })] {
        body["budget"] = wrong;
        assert_eq!(app.send(Method::POST, &runs, &body.to_string()).await.0, StatusCode::BAD_REQUEST);
    }
}
