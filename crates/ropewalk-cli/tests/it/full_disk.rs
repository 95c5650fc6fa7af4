#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{fs, io::Write, path::Path, process::Command};

use serde_json::json;

use crate::{
    ropewalk,
    served::{Served, Upstream, message_of},
};

/// Runs `serve` on a data folder of 8 MiB that only it sees; `None` where the system has no such thing for us.
fn on_a_small_disk(folder: &Path, upstream: &str) -> Option<Served> {
    let small = ["-Urm", "sh", "-c", "mount -t tmpfs -o size=8m tmpfs \"$0\" && exec \"$@\"", "data"];
    let run = |program: &[&str]| {
        let mut command = Command::new("unshare");
        command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.args(small).args(program);
        command
    };
    fs::create_dir_all(folder.join("data")).unwrap();
    if !run(&["true"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: no file system can be mounted in a name space of our own here");
        return None;
    }
    let serve = [env!("CARGO_BIN_EXE_ropewalk"), "serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    Some(Served::start(run(&serve).args(["--upstream", upstream])).unwrap())
}

#[test]
fn a_full_disk_refuses_what_must_be_stored_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start();
    let Some(mut server) = on_a_small_disk(folder.path(), &upstream.url) else { return };
    let run = server.run();
    let thread = run.split("/runs").next().unwrap();

    let filler = format!("/proc/{}/root{}/data/filler", server.id(), folder.path().display());
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    let metadata = json!({"metadata": {"note": "x".repeat(500)}});
    let refused = (0..1000).map(|_| server.post("/threads", &metadata)).find(|(status, _)| *status != 200);
    let (status, body) = refused.expect("the disk is full");
    assert_eq!(
        (status, message_of(&body)),
        (507, "The server has no room left to store this. Nothing was stored.")
    );
    let (status, body) = server.upload(100_000);
    assert_eq!(status, 507, "{body}");
    assert_eq!(server.get(thread).0, 200, "what is stored can be read");
    assert_eq!(server.get(&run).1["status"], "in_progress");

    upstream.answer(); // Its end cannot be stored.
    server.until_it_says("run left to the next worker");
    assert_eq!(server.get(&run).1["status"], "in_progress");
    fs::remove_file(&filler).unwrap();
    drop(file);
    server.until(&run, "completed");
    let (_, messages) = server.get(&format!("{thread}/messages"));
    assert_eq!(messages["data"][0]["content"][0]["text"]["value"], "Half and half.");
    assert_eq!(server.post("/threads", &metadata).0, 200);
    assert_eq!(server.upload(100_000).0, 200);
    assert!(server.is_up());
}

#[test]
fn a_limit_of_the_size_of_files_does_not_end_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ropewalk(folder.path());
    let mut server = Served::start(command.args(["serve", "--listen", "127.0.0.1:0"])).unwrap();
    let pid = server.id().to_string();
    let limit = |bytes: &str| {
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        assert!(set.unwrap().success());
    };
    let (_, thread) = server.post("/threads", &json!({}));
    let path = format!("/threads/{}", thread["id"].as_str().unwrap());
    limit("200000");
    let metadata = json!({"metadata": {"note": "x".repeat(500)}});
    let refused = (0..1000).map(|_| server.post("/threads", &metadata)).find(|(status, _)| *status != 200);
    let (status, body) = refused.expect("the log is at the limit");
    assert!(status == 500 && message_of(&body).starts_with("The server had an error"), "{status} {body}");
    let (status, body) = server.upload(300_000);
    assert_eq!(status, 507, "{body}");
    assert_eq!(server.get(&path).0, 200, "what is stored can be read");
    limit("unlimited");
    assert_eq!(server.post("/threads", &metadata).0, 200);
    assert_eq!(server.upload(300_000).0, 200);
    assert!(server.is_up());
}
