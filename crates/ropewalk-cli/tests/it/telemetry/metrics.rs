use serde_json::json;

use super::{upstream::Upstream, watched::Watched};

/// The value of a series of the page, if it has begun.
fn find(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// The value of a series of the page.
fn value(page: &str, series: &str) -> f64 {
    find(page, series).unwrap_or_else(|| panic!("no {series} in {page}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_counts_what_a_server_does_and_names_nobody() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::default());
    let host = upstream.serve().await;
    let served = Watched::start(folder.path(), &["--upstream", &host, "--metrics"]);
    let assistant =
        served.make("/v1/assistants", json!({"model": "m-secret", "tools": [{"type": "file_search"}]})).await;
    served.run(&assistant, "Where is the heron?", &[]).await;
    served.get("/v1/assistants/asst_nobody").await;
    served.get("/wp-admin/heron").await;

    let (status, page) = served.get("/metrics").await;
    assert_eq!(status, 200);
    for (series, expected) in [
        (r#"ropewalk_http_requests_total{operation="createAssistant",status="2xx"}"#, 1.0),
        (r#"ropewalk_http_requests_total{operation="getAssistant",status="4xx"}"#, 1.0),
        (r#"ropewalk_http_requests_total{operation="createThreadAndRun",status="2xx"}"#, 1.0),
        (r#"ropewalk_http_requests_total{operation="other",status="4xx"}"#, 1.0),
        (r#"ropewalk_http_request_duration_seconds_count{operation="createThreadAndRun"}"#, 1.0),
        ("ropewalk_open_streams", 0.0),
        (r#"ropewalk_runs_total{status="completed"}"#, 1.0),
        (r#"ropewalk_run_duration_seconds_count{status="completed"}"#, 1.0),
        ("ropewalk_runs_active", 0.0),
        (r#"ropewalk_model_calls_total{by="run",outcome="ok"}"#, 2.0),
        ("ropewalk_model_calls_open", 0.0),
        (r#"ropewalk_model_time_to_first_token_seconds_count{by="run"}"#, 2.0),
        (r#"ropewalk_model_tokens_total{by="run",kind="prompt"}"#, 22.0),
        (r#"ropewalk_model_tokens_total{by="run",kind="completion"}"#, 14.0),
        (r#"ropewalk_tool_calls_total{tool="file_search",outcome="ok"}"#, 1.0),
        ("ropewalk_store_writes_refused_total", 0.0),
        (r#"ropewalk_build_info{version="0.1.0"}"#, 1.0),
    ] {
        assert_eq!(value(&page, series), expected, "{series}");
    }
    let commits = value(&page, r#"ropewalk_store_commits_total{outcome="ok"}"#);
    assert_eq!(commits, value(&page, "ropewalk_store_commit_writes_count"));
    assert!(commits >= 5.0 && value(&page, "ropewalk_store_commit_writes_sum") >= commits);
    if cfg!(target_os = "linux") {
        assert!(value(&page, "process_resident_memory_bytes") > 1e6, "{page}");
    }
    for secret in ["org-", "heron", "m-secret", "asst_", "thread_", "wp-admin"] {
        assert!(!page.contains(secret), "{secret} in {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_runs_is_seen_while_it_is_there_and_so_is_who_was_turned_away() {
    let (folder, host) = (tempfile::tempdir().unwrap(), crate::served::Upstream::start());
    let limits = ["--max-active-runs", "1", "--max-queued-runs", "2"];
    let served =
        Watched::start(folder.path(), &[&limits[..], &["--upstream", &host.url, "--metrics"]].concat());
    let page = async || served.get("/metrics").await.1;
    let reaches = async |series: &str, wanted: f64| while find(&page().await, series) != Some(wanted) {};
    let assistant = served.make("/v1/assistants", json!({"model": "m"})).await;
    let body = json!({"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "?"}]}});

    served.make("/v1/threads/runs", body.clone()).await;
    reaches("ropewalk_model_calls_open", 1.0).await;
    served.make("/v1/threads/runs", body.clone()).await;
    reaches("ropewalk_runs_queued", 1.0).await;
    // One organisation may have half of the queue.
    assert!(served.post("/v1/threads/runs", body).await.0 >= 429);
    assert_eq!(value(&page().await, "ropewalk_runs_rejected_total"), 1.0);
    assert_eq!(value(&page().await, "ropewalk_runs_active"), 2.0);
    while value(&page().await, "ropewalk_runs_queue_age_seconds") == 0.0 {}

    host.answer();
    reaches(r#"ropewalk_runs_total{status="completed"}"#, 2.0).await;
    let page = page().await;
    assert_eq!(value(&page, "ropewalk_runs_queued"), 0.0);
    assert_eq!(value(&page, "ropewalk_run_queue_wait_seconds_count"), 2.0);
    assert!(value(&page, "ropewalk_run_queue_wait_seconds_sum") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_only_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let served = Watched::start(folder.path(), &[]);
    assert_eq!(served.get("/metrics").await.0, 404);
    drop(served);

    let mut served = Watched::start(folder.path(), &["--metrics-listen", "127.0.0.1:0"]);
    let address = served.address_behind("metrics on http://");
    assert_eq!(served.get("/metrics").await.0, 404);
    let elsewhere = |path: &str| {
        let uri = format!("http://{address}{path}");
        http::Request::get(uri).body(ropewalk_transport::Body::empty()).unwrap()
    };
    let (status, page) = served.send(elsewhere("/metrics")).await;
    assert!(status == 200 && page.contains("ropewalk_build_info"), "{page}");
    assert_eq!(served.send(elsewhere("/v1/assistants")).await.0, 404);
}
