use std::{fs, path::Path, process::Stdio};

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{exported, ids, import, said, server::Server};
use crate::ropewalk;

const THREAD: &str = r#"{"object":"thread","id":"thread_1","created_at":1}"#;

fn message(id: &str, thread: &str, created_at: i64) -> Value {
    json!({
        "id": id, "object": "thread.message", "created_at": created_at, "thread_id": thread, "role": "user",
        "content": [{ "type": "text", "text": { "value": "ahoy", "annotations": [] } }],
    })
}

fn write(folder: &Path, name: &str, lines: &[String]) {
    fs::write(folder.join(name), lines.join("\n")).unwrap();
}

fn azure() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    fs::create_dir_all(dump.join("files")).unwrap();
    fs::write(dump.join("azure.txt"), include_str!("azure.ndjson")).unwrap();
    fs::write(dump.join("files/assistant-4kZ1"), "price,100\n").unwrap();
    let taken = import(folder.path(), &["dump"]);
    assert_eq!(taken.status.code(), Some(0), "{}", said(&taken));
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_files_are_searched_and_forgotten_like_others() {
    let folder = azure();
    let server = Server::open(&folder.path().join("ropewalk-data"));
    server.settled("vs_Az1").await;
    let content = server.json("/vector_stores/vs_Az1/files/assistant-4kZ1/content").await;
    assert_eq!(content["data"][0]["text"], "price,100\n", "{content}");

    let step = "/threads/thread_Az1/runs/run_Az1/steps/step_Az1";
    let include = "include[]=step_details.tool_calls[*].file_search.results[*].content";
    let passages =
        |step: Value| step["step_details"]["tool_calls"][1]["file_search"]["results"][0]["content"].clone();
    assert!(passages(server.json(step).await).is_null());
    assert_eq!(passages(server.json(&format!("{step}?{include}")).await)[0]["text"], "price,100");

    server.delete("/files/assistant-4kZ1").await;
    assert_eq!(server.json("/vector_stores/vs_Az1").await["file_counts"]["total"], 0);
    let interpreter = &server.json("/assistants/asst_Az1").await["tool_resources"]["code_interpreter"];
    assert_eq!(interpreter["file_ids"], json!([]));
}

#[test]
fn what_azure_and_the_hosted_api_said_is_taken_in() {
    let folder = azure();
    let mut all = exported(folder.path(), "ropewalk-data");
    assert_eq!(all.remove("files/assistant-4kZ1").unwrap(), b"price,100\n");
    let text: Vec<String> =
        all.iter().map(|(name, text)| format!("== {name}\n{}", String::from_utf8_lossy(text))).collect();
    insta::assert_snapshot!(text.concat());
}

#[test]
fn a_dump_that_is_newest_first_comes_out_in_the_order_of_writing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dump")).unwrap();
    let page = |rows: &[(&str, i64)]| {
        let rows: Vec<_> = rows.iter().map(|(id, time)| message(id, "thread_1", *time)).collect();
        json!({ "object": "list", "data": rows, "first_id": null, "has_more": false }).to_string()
    };
    // One list in two files, as its pages were asked for; rows of one second on both.
    write(&folder.path().join("dump"), "page-1.json", &[page(&[("msg_6", 9), ("msg_5", 9), ("msg_4", 5)])]);
    write(&folder.path().join("dump"), "page-2.json", &[page(&[("msg_3", 5), ("msg_2", 5), ("msg_1", 1)])]);
    write(&folder.path().join("dump"), "threads.json", &[THREAD.to_owned()]);
    assert_eq!(import(folder.path(), &["dump"]).status.code(), Some(0));
    let all = exported(folder.path(), "ropewalk-data");
    assert_eq!(ids(&all, "messages.ndjson"), ["msg_1", "msg_2", "msg_3", "msg_4", "msg_5", "msg_6"]);
}

#[test]
fn what_is_not_taken_is_said_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    fs::create_dir_all(dump.join("files")).unwrap();
    fs::write(dump.join("broken.ndjson"), include_str!("broken.ndjson")).unwrap();
    fs::write(dump.join("files/short.txt"), "x").unwrap();
    fs::write(folder.path().join("passwd"), "root").unwrap();
    fs::write(dump.join("pretty.json"), "{\n  \"object\": \"thread\"\n}\n").unwrap();
    let taken = import(folder.path(), &["dump", "--report", "report.txt"]);
    let report = fs::read_to_string(folder.path().join("report.txt")).unwrap();
    insta::assert_snapshot!(format!("{}{report}", said(&taken)));

    let many: Vec<String> =
        (0..25).map(|number| message(&format!("msg_{number}"), "thread_9", 1).to_string()).collect();
    write(folder.path(), "many", &many);
    let taken = import(folder.path(), &["many"]);
    let text = said(&taken);
    assert_eq!(text.matches("not taken: many:").count(), 20, "{text}");
    assert!(text.starts_with("exit 2") && text.contains("not taken: 5 more; --report FILE"), "{text}");
}

#[test]
fn a_second_import_changes_nothing_and_a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> =
        (0..250).map(|row| message(&format!("msg_{row}"), "thread_1", row / 9).to_string()).collect();
    write(folder.path(), "dump", &[&rows[..], &[THREAD.to_owned()]].concat());

    let dry = said(&import(folder.path(), &["--dry-run", "dump"]));
    assert!(!folder.path().join("ropewalk-data").exists());
    let first = said(&import(folder.path(), &["dump"]));
    assert_eq!(dry, format!("{first}a dry run: nothing was written\n"));
    let all = exported(folder.path(), "ropewalk-data");
    assert_eq!(ids(&all, "messages.ndjson").len(), 250);

    write(folder.path(), "more", &[message("msg_x", "thread_1", 99).to_string()]);
    assert_eq!(import(folder.path(), &["--dry-run", "more"]).status.code(), Some(0));
    let again = said(&import(folder.path(), &["dump", "dump"]));
    assert!(
        again.contains("messages                   500         0             500           0"),
        "{again}"
    );
    assert_eq!(exported(folder.path(), "ropewalk-data"), all);
}

#[test]
fn an_import_that_was_killed_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = vec![THREAD.to_owned()];
    rows.extend((0..4000).rev().map(|row| message(&format!("msg_{row}"), "thread_1", row / 50).to_string()));
    write(folder.path(), "dump", &rows);
    assert_eq!(import(folder.path(), &["--data-dir", "whole", "dump"]).status.code(), Some(0));
    let whole = exported(folder.path(), "whole");

    let mut command = ropewalk(folder.path());
    command.args(["import", "--data-dir", "cut", "dump"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut cut = command.spawn().unwrap();
    // As soon as something was committed; if it is done by then, that is fine, too.
    let grown = |path: &Path| path.metadata().is_ok_and(|log| log.len() > 300_000);
    while cut.try_wait().unwrap().is_none() && !grown(&folder.path().join("cut/ropewalk.db-wal")) {
        std::thread::yield_now();
    }
    drop(cut.kill());
    cut.wait().unwrap();
    let second = import(folder.path(), &["--data-dir", "cut", "dump"]);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert_eq!(exported(folder.path(), "cut"), whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the times of messages fall together, and whichever way a dump goes, lists keep their order.
    #[test]
    fn rows_of_one_second_keep_their_order(
        steps in vec((0..3_usize, 0..2_i64), 2..30),
        newest_first: bool,
        in_pages: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut clock = 0;
        let mut rows: Vec<Value> = Vec::new();
        for (number, (thread, step)) in steps.iter().enumerate() {
            clock += step;
            rows.push(message(&format!("msg_{number}"), &format!("thread_{thread}"), clock));
        }
        let thread = |number: usize| json!({ "object": "thread", "id": format!("thread_{number}"), "created_at": 1 });
        let mut lines: Vec<String> = (0..3).map(|number| thread(number).to_string()).collect();
        // As a dump goes: thread by thread. Two at the end say which way, whatever chance gave.
        for number in 0..3 {
            let name = format!("thread_{number}");
            let mut own: Vec<Value> = rows.iter().filter(|row| row["thread_id"] == *name).cloned().collect();
            own.push(message(&format!("msg_last_{number}"), &name, clock + 1));
            own.insert(0, message(&format!("msg_first_{number}"), &name, -1));
            if newest_first {
                own.reverse();
            }
            if in_pages {
                lines.extend(own.chunks(7).map(|page| json!({ "object": "list", "data": page }).to_string()));
            } else {
                lines.extend(own.iter().map(Value::to_string));
            }
        }
        write(folder.path(), "dump", &lines);
        let taken = import(folder.path(), &["dump"]);
        prop_assert_eq!(taken.status.code(), Some(0), "{}", said(&taken));
        let mut expected = Vec::new();
        for number in 0..3 {
            let name = format!("thread_{number}");
            expected.push(format!("msg_first_{number}"));
            let own = rows.iter().filter(|row| row["thread_id"] == *name);
            expected.extend(own.map(|row| row["id"].as_str().unwrap_or_default().to_owned()));
            expected.push(format!("msg_last_{number}"));
        }
        let mut found = ids(&exported(folder.path(), "ropewalk-data"), "messages.ndjson");
        // Threads stand in the order of the dump or against it.
        if found.first() != expected.first() {
            let mut threads: Vec<Vec<String>> = Vec::new();
            for id in found {
                if id.starts_with("msg_first") { threads.push(Vec::new()); }
                if let Some(thread) = threads.last_mut() { thread.push(id); }
            }
            threads.sort();
            found = threads.concat();
        }
        prop_assert_eq!(found, expected);
    }
}
