//! The binary, as somebody who starts it sees it.

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
    std::fs::write(folder.path().join("bad.toml"), "lissten = 1").unwrap();
    for (arguments, said) in [
        (&["--listen", "0.0.0.0:0"][..], "without --api-keys"),
        (&["--listen", "nonsense"], "--listen nonsense is no address"),
        (&["--upstream", "ftp://x"], "--upstream is no base URL"),
        (&["--api-keys", "nowhere.json"], "the key file cannot be read"),
        (&["--api-keys", "bad.json"], "the key file is not of the form"),
        (&["--run-expiry", "0"], "--run-expiry"),
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
