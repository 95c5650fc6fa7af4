//! `ropewalk webhooks`, as an operator uses it.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{path::Path, process::Output};

use serde_json::Value;

use crate::{error_of, ropewalk};

fn webhooks(folder: &Path, arguments: &[&str]) -> Output {
    ropewalk(folder).arg("webhooks").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

const URL: &str = "https://example.com/hook";

#[test]
fn webhooks_are_made_listed_and_deleted_and_their_secret_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| webhooks(folder.path(), arguments);
    let events = ["--event", "thread.run.failed", "--event", "thread.run.completed"];
    let create = ["create", "--organization", "org-a", "--url", URL];
    let secret = said(&run(&[&create[..], &events].concat()));
    let secret = secret.trim_end();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    said(&run(&["create", "--organization", "org-b", "--url", "http://10.0.0.1:8080/"]));

    let listed = said(&run(&["list"]));
    let rows: Vec<&str> = listed.lines().collect();
    assert!(
        rows.len() == 2
            && rows[0].ends_with("org-a  https://example.com/hook  thread.run.completed,thread.run.failed")
    );
    assert!(rows[1].ends_with("on   org-b  http://10.0.0.1:8080/  every status"), "{listed}");
    let json = said(&run(&["list", "--json"]));
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["organization"], &first["enabled"]), (&"org-a".into(), &true.into()));
    assert!(!format!("{listed}{json}").contains("whsec_") && !json.contains(&secret[6..]));

    let id = first["id"].as_str().unwrap();
    said(&run(&["enable", id]));
    said(&run(&["delete", id]));
    assert_eq!(said(&run(&["list"])).lines().count(), 1);
    assert!(error_of(&run(&["delete", id])).contains("there is no webhook"));
}

#[test]
fn what_cannot_be_a_webhook_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let create = |organization, url| {
        webhooks(folder.path(), &["create", "--organization", organization, "--url", url])
    };
    assert!(error_of(&webhooks(folder.path(), &["list"])).contains("has no database"));
    assert!(error_of(&create("org-a", "ftp://example.com/")).contains("neither http nor https"));
    assert!(error_of(&create("two words", URL)).contains("visible ASCII"));
    let shown = error_of(&create("org-a", "https://user:hidden@example.com/"));
    assert!(shown.contains("a user or a password") && !shown.contains("hidden"), "{shown}");
    let typo = ["create", "--organization", "org-a", "--url", URL, "--event", "thread.run.complete"];
    assert!(!webhooks(folder.path(), &typo).status.success());
    for _ in 0..8 {
        said(&create("org-a", URL));
    }
    assert!(error_of(&create("org-a", URL)).contains("there are 8 webhooks already in the organization"));
}
