//! `ropewalk export` and `ropewalk import`, as somebody who starts them sees them.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod dumps;
mod round_trip;
mod server;

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use crate::ropewalk;

/// `ropewalk import` in `folder`, into its `ropewalk-data` unless told otherwise.
fn import(folder: &Path, arguments: &[&str]) -> Output {
    ropewalk(folder).arg("import").args(arguments).output().unwrap()
}

/// What a data folder holds: text and bytes of all exported files, by name.
fn exported(folder: &Path, data: &str) -> BTreeMap<String, Vec<u8>> {
    let out = tempfile::tempdir().unwrap();
    let export = ropewalk(folder).args(["export", "--data-dir", data]).arg(out.path()).output().unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let mut all = BTreeMap::new();
    for (folder, prefix) in [(out.path().to_owned(), ""), (out.path().join("files"), "files/")] {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                all.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    all
}

/// The ids in an exported NDJSON file, in its order.
fn ids(all: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<String> {
    let text = std::str::from_utf8(&all[name]).unwrap();
    let id = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("exit {}\n{}{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}
