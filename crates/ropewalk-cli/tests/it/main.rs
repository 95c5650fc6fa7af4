//! The binary, as somebody who starts it sees it.

#[cfg(unix)]
mod data_folder;
#[cfg(target_os = "linux")]
mod full_disk;
mod interpreter;
mod recovery;
mod served;
#[cfg(all(unix, feature = "otel"))]
mod telemetry;
mod transfer;
mod webhooks;

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

fn ropewalk(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropewalk"));
    command.current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.json"), r#"{"keys":[{"key":"sk-secret"}]}"#).unwrap();
    let good = r#"{"keys":[{"key":"sk-secret-key-1","organization":"org-a"}]}"#;
    std::fs::write(folder.path().join("good.json"), good).unwrap();
    std::fs::write(folder.path().join("bad.toml"), "lissten = 1").unwrap();
    for (arguments, said) in [
        (&["--listen", "0.0.0.0:0"][..], "without --api-keys"),
        (&["--listen", "nonsense"], "--listen nonsense is no address"),
        (&["--upstream", "ftp://x"], "--upstream is no base URL"),
        (&["--api-keys", "nowhere.json"], "the key file cannot be read"),
        (&["--api-keys", "bad.json"], "the key file is not of the form"),
        (&["--run-expiry", "0"], "--run-expiry"),
        (&["--max-streams", "0"], "--max-streams is at least 1"),
        (&["--storage-quota-bytes", "0"], "--storage-quota-bytes is at least 1"),
        (&["--body-timeout", "0"], "--body-timeout is at least 1"),
        (&["--log", "a=b=c"], "--log is no level and no filter"),
        (&["--otlp-endpoint", "secret.example"], "--otlp-endpoint is no base URL"),
        (&["--metrics-listen", "nonsense"], "--metrics-listen nonsense is no address"),
        (&["--metrics", "--listen", "0.0.0.0:0", "--api-keys", "good.json"], "use --metrics-listen"),
        (&["--config", "bad.toml"], "the settings file cannot be used"),
        (&["--config", "nowhere.toml"], "the settings file cannot be used"),
    ] {
        let output = ropewalk(folder.path()).arg("serve").args(arguments).output().unwrap();
        let error = error_of(&output);
        assert!(error.starts_with("ropewalk: ") && error.contains(said), "{arguments:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn chat_answers_on_stdout_and_ends_with_an_empty_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut chat = ropewalk(folder.path())
        .arg("chat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    chat.stdin.take().unwrap().write_all("good morning\n\n".as_bytes()).unwrap();
    let output = chat.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "[scripted model, not a language model] You said: good morning\n");
}

#[test]
fn keys_are_made_shown_once_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |arguments: &[&str]| ropewalk(folder.path()).arg("keys").args(arguments).output().unwrap();
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    let limits = ["--requests-per-minute", "60", "--max-total-tokens", "9"];
    let create = ["create", "--organization", "org-a", "--name", "ci", "--expires", "2000-01-31"];
    let key = text(&keys(&[&create[..], &limits].concat()));
    let key = key.trim_end();
    assert!(key.starts_with("sk-") && key.len() == 46, "{key}");
    assert!(keys(&["create", "--organization", "org-b", "--project", "proj_b"]).status.success());

    let listed = text(&keys(&["list"]));
    let rows: Vec<&str> = listed.lines().collect();
    assert!(rows[0].starts_with("ID ") && rows.len() == 3, "{listed}");
    for part in
        ["ci", "org-a", &key[42..], "60 requests/min, 9 tokens in all", "expired 2000-01-31T00:00:00Z"]
    {
        assert!(rows[1].contains(part), "{part}: {listed}");
    }
    assert!(rows[2].contains("proj_b") && rows[2].ends_with("valid"), "{listed}");

    let id = rows[2].split(' ').next().unwrap();
    assert!(keys(&["revoke", id]).status.success());
    let listed = text(&keys(&["list", "--json"]));
    let revoked = listed.lines().nth(1).unwrap();
    assert!(revoked.contains(id) && !revoked.contains(r#""revoked_at":null"#), "{listed}");
    assert!(error_of(&keys(&["revoke", "ffffffff"])).contains("no key has the id"));
    assert!(error_of(&keys(&["create", "--organization", "two words"])).contains("visible ASCII"));

    let database = std::fs::read(folder.path().join("ropewalk-data/ropewalk.db")).unwrap();
    assert!(!database.windows(40).any(|part| part == &key.as_bytes()[3..43]), "the key is in the store");
}
