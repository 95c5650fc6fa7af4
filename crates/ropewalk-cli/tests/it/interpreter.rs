//! The code interpreter, as an operator sets it up.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::{error_of, ropewalk};

/// An environment without packages, in the data folder; it takes no pip to make.
fn environment(folder: &Path) {
    let python = folder.join("ropewalk-data/python");
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&python).status();
    assert!(made.unwrap().success());
    let manifest = r##"{"packages": {"knots": "1.0"}, "imports": ["json"], "requirements": "# knots"}"##;
    fs::write(python.join("ropewalk.json"), manifest).unwrap();
    fs::write(folder.join("knots.txt"), "# knots").unwrap();
}

fn setup(folder: &Path, arguments: &[&str]) -> Output {
    ropewalk(folder).args(["interpreter", "setup"]).args(arguments).output().unwrap()
}

/// What a server says that begins with these flags, and has nowhere to listen.
fn serve(folder: &Path, arguments: &[&str]) -> String {
    let mut serve = ropewalk(folder);
    let output = serve.args(["serve", "--listen", "nonsense"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

fn said(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_set_up_that_cannot_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    for (arguments, expected) in [
        (["--folder", "."], "`thesis.txt`, which would be lost: name a folder of its own"),
        (["--requirements", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--python", "/nowhere/python3"], "`/nowhere/python3` cannot be run"),
    ] {
        let error = error_of(&setup(folder.path(), &arguments));
        assert!(error.starts_with("ropewalk: ") && error.contains(expected), "{arguments:?}: {error}");
    }
    assert!(folder.path().join("thesis.txt").exists());
}

#[test]
fn what_is_set_up_already_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    environment(folder.path());
    let output = setup(folder.path(), &["--requirements", "knots.txt"]);
    let text = said(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "1/1 It is there already");
    assert!(lines[1].contains("ropewalk-data/python has Python 3.") && lines[1].ends_with("and 1 packages."));
}

#[test]
fn a_server_without_an_environment_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = serve(folder.path(), &[]);
    assert!(log.contains("code_interpreter is off") && log.contains("`ropewalk interpreter setup`"), "{log}");
    assert!(!serve(folder.path(), &["--no-interpreter"]).contains("code_interpreter"));
    // One that nobody named may be half made; one that was named must be whole.
    fs::create_dir_all(folder.path().join("ropewalk-data/python")).unwrap();
    let log = serve(folder.path(), &[]);
    assert!(log.contains("it is unfinished") && log.contains("--listen nonsense"), "{log}");
    for (named, expected) in [("nowhere", "it is not there"), ("ropewalk-data/python", "it is unfinished")] {
        let log = serve(folder.path(), &["--interpreter-folder", named]);
        let error = log.lines().last().unwrap();
        assert!(
            error.contains(expected) && error.contains("`ropewalk interpreter setup` makes it"),
            "{error}"
        );
    }
}

#[test]
fn flags_and_settings_that_cannot_be_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    environment(folder.path());
    for (arguments, expected) in [
        (["--interpreter-lift", "gravity"], "--interpreter-lift gravity: the layers are control_group, "),
        (["--interpreter-lift", "namespaces"], "without it there is no place for a session"),
        (["--interpreter-sessions", "0"], "--interpreter-sessions"),
        (["--interpreter-sessions-per-organization", "0"], "--interpreter-sessions-per-organization"),
        (["--interpreter-idle", "0"], "--interpreter-idle"),
        (["--interpreter-longest", "0"], "--interpreter-longest"),
        (["--interpreter-cell-seconds", "0"], "--interpreter-cell-seconds"),
        (["--interpreter-cell-seconds", "18446744073709551615"], "at most 86400"),
        (["--interpreter-memory-mb", "1"], "--interpreter-memory-mb is in MiB: at least 256"),
    ] {
        let log = serve(folder.path(), &arguments);
        assert!(log.lines().last().unwrap().contains(expected), "{arguments:?}: {log}");
    }
    let settings = folder.path().join("ropewalk.toml");
    fs::write(&settings, "[interpreter]\nlift = [\"landlock\"]\nsessions = 0").unwrap();
    let log = serve(folder.path(), &[]);
    assert!(log.contains("without the layer `landlock`") && log.contains("--interpreter-sessions"), "{log}");
    let log = serve(folder.path(), &["--interpreter-sessions", "1", "--interpreter-backend", "runsc"]);
    assert!(log.contains("--interpreter-lift is for the built-in backend"), "{log}");
    // A flag comes before the file.
    let log = serve(folder.path(), &["--interpreter-sessions", "1", "--interpreter-lift", "seccomp"]);
    assert!(log.contains("without the layer `seccomp`") && log.contains("--listen nonsense"), "{log}");
    fs::write(&settings, "[interpreter]\nfolders = \"x\"").unwrap();
    assert!(serve(folder.path(), &[]).contains("the settings file cannot be used"));
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_lists_each_layer_and_its_last_line_is_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let doctor = |arguments: &[&str]| ropewalk(folder.path()).arg("doctor").args(arguments).output().unwrap();
    assert!(error_of(&doctor(&[])).contains("it is not there; `ropewalk interpreter setup` makes it"));
    environment(folder.path());
    assert!(error_of(&doctor(&["--interpreter-lift", "gravity"])).contains("the layers are control_group, "));

    let output = doctor(&["--interpreter-lift", "landlock,seccomp"]);
    let table = said(&output.stdout);
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(layer, _)| ropewalk_interpreter::Layer::named(layer).is_some())
        .map(|(layer, rest)| (layer, rest.split_whitespace().next().unwrap()))
        .collect();
    let expected = [
        ("control_group", "no"),
        ("namespaces", "yes"),
        ("file_system", "yes"),
        ("uid", "yes"),
        ("capabilities", "yes"),
        ("rlimits", "yes"),
        ("landlock", "lifted"),
        ("seccomp", "lifted"),
    ];
    assert_eq!(rows, expected, "{table}");
    assert!(table.contains("has Python 3.") && table.contains("and knots 1.0."), "{table}");
    // Which of the two, the host says.
    let last = table.lines().last().unwrap();
    match output.status.success() {
        true => assert_eq!(last, "code_interpreter runs here."),
        false => assert!(last.starts_with("code_interpreter is refused here, for want of: "), "{table}"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_tries_a_session_of_gvisor_and_says_why_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    environment(folder.path());
    let doctor = |runsc: &str| {
        let mut doctor = ropewalk(folder.path());
        doctor
            .args(["doctor", "--interpreter-backend", "runsc", "--interpreter-runsc", runsc])
            .output()
            .unwrap()
    };
    let error = error_of(&doctor("/nowhere/runsc"));
    assert!(
        error.contains("`/nowhere/runsc` cannot be run") && error.contains("apt install runsc"),
        "{error}"
    );
    let runsc = std::env::var("ROPEWALK_RUNSC").unwrap_or("runsc".to_owned());
    if Command::new(&runsc).arg("--version").output().is_err() {
        eprintln!("SKIPPED: `{runsc}` is not installed");
        return;
    }
    let output = doctor(&runsc);
    match output.status.success() {
        true => {
            let said = said(&output.stdout);
            assert!(
                said.starts_with("A session began in gVisor, ") && said.ends_with("runs here.\n"),
                "{said}"
            );
        }
        // As on a host where the tests are not root.
        false => assert!(error_of(&output).contains("the layer `"), "{}", error_of(&output)),
    }
}
