#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use ropewalk_store::{Batch, Kind, Organization, Put, Store};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    error_of, ropewalk,
    served::{Served, message_of},
};

/// Nobody's account, for tests that run as root: no right is kept from root.
const NOBODY: u32 = 65_534;

fn serve(folder: &Path) -> Command {
    let mut command = ropewalk(folder);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    command
}

/// A data folder with 200 threads of 3 kB.
fn with_data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::sqlite(folder.path().join("data")).unwrap();
    let scope = store.scope(Organization::new("org-local"));
    let put = |n: i64| {
        let thread = json!({
            "id": format!("thread_{n}"), "object": "thread", "created_at": n, "tool_resources": {},
            "metadata": {"note": "x".repeat(3000)}
        });
        Put::new(Kind::Thread, format!("thread_{n}"), n, thread.to_string())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(scope.commit((0..200).fold(Batch::new(), |batch, n| batch.put(put(n))))).unwrap();
    folder
}

/// All files in the folder but the lock, with what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn a_damaged_database_is_named_and_not_touched() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("noise in the header", |file| file[..100].copy_from_slice(&noise(100))),
        ("noise in the first page", |file| file[100..4096].copy_from_slice(&noise(3996))),
        ("cut in half", |file| file.truncate(file.len() / 2)),
        ("cut in the header", |file| file.truncate(50)),
    ];
    for (name, damage) in damages {
        let folder = with_data();
        let database = folder.path().join("data/ropewalk.db");
        let mut file = fs::read(&database).unwrap();
        damage(&mut file);
        fs::write(&database, file).unwrap();
        let before = contents(folder.path());
        for command in
            [&mut serve(folder.path()), ropewalk(folder.path()).args(["keys", "list", "--data-dir", "data"])]
        {
            let error = error_of(&command.output().unwrap());
            assert!(error.contains("`data/ropewalk.db` is damaged"), "{name}: {error}");
        }
        assert!(before == contents(folder.path()), "{name}: it was touched");
    }
}

#[test]
fn damage_met_while_serving_fails_the_requests_that_meet_it() {
    let folder = with_data();
    let database = folder.path().join("data/ropewalk.db");
    let mut file = fs::read(&database).unwrap();
    let (from, to) = (file.len() / 4, file.len() / 2);
    file[from..to].copy_from_slice(&noise(to - from));
    fs::write(&database, file).unwrap();
    let mut server = Served::start(&mut serve(folder.path())).unwrap();
    let mut statuses = BTreeMap::<u16, usize>::new();
    for n in 0..200 {
        let (status, body) = server.get(&format!("/threads/thread_{n}"));
        *statuses.entry(status).or_default() += 1;
        assert!(status != 500 || message_of(&body).starts_with("The server had an error"), "{body}");
    }
    assert!(
        statuses.len() == 2 && statuses.contains_key(&200) && statuses.contains_key(&500),
        "{statuses:?}"
    );
    assert!(server.is_up());
}

#[test]
fn a_damaged_log_counts_up_to_its_damage() {
    let (alive, found) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Served::start(&mut serve(alive.path())).unwrap();
    let ids: Vec<String> =
        (0..20).map(|_| server.post("/threads", &json!({})).1["id"].as_str().unwrap().to_owned()).collect();
    fs::create_dir(found.path().join("data")).unwrap();
    for file in ["ropewalk.db", "ropewalk.db-wal"] {
        let mut content = fs::read(alive.path().join("data").join(file)).unwrap();
        if file.ends_with("wal") {
            let middle = content.len() / 2;
            content[middle..middle + 100].copy_from_slice(&noise(100));
        }
        fs::write(found.path().join("data").join(file), content).unwrap();
    }
    let server = Served::start(&mut serve(found.path())).unwrap();
    let there: Vec<bool> = ids.iter().map(|id| server.get(&format!("/threads/{id}")).0 == 200).collect();
    assert!(there[0] && !there[19] && there.is_sorted_by(|a, b| a >= b), "{there:?}");
    assert_eq!(server.post("/threads", &json!({})).0, 200);
}

#[test]
fn a_folder_that_may_not_be_written_is_named_and_works_when_it_may() {
    let folder = with_data();
    let data = folder.path().join("data");
    let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
    let own = |path: &Path| {
        if is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap()
        }
    };
    let allow = |mode: u32| {
        for entry in fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            own(&path);
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
        own(&data);
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
    };
    own(folder.path());
    let start = || {
        let mut command = serve(folder.path());
        if is_root {
            command.uid(NOBODY);
        }
        Served::start(&mut command)
    };
    let before = contents(folder.path());
    for (mode, named) in [(0o500, "data/ropewalk.lock"), (0o000, "data/ropewalk.lock")] {
        allow(mode);
        let error = start().map(drop).unwrap_err();
        assert!(
            error.contains(&format!("`{named}` cannot be read and written: Permission denied")),
            "{error}"
        );
        allow(0o700);
        assert!(before == contents(folder.path()));
    }
    fs::set_permissions(data.join("ropewalk.db"), fs::Permissions::from_mode(0o400)).unwrap();
    let error = start().map(drop).unwrap_err();
    assert!(error.contains("`data/ropewalk.db` cannot be read and written"), "{error}");
    allow(0o700);
    assert_eq!(start().unwrap().get("/threads/thread_7").0, 200);

    let mut elsewhere = ropewalk(folder.path());
    elsewhere.args(["serve", "--data-dir", "closed/data"]);
    if is_root {
        elsewhere.uid(NOBODY);
    }
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    own(&closed);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let error = error_of(&elsewhere.output().unwrap());
    assert!(error.contains("`closed/data` cannot be read and written"), "{error}");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    drop(fs::remove_dir(closed.join("data")));
    fs::write(closed.join("data"), "a file").unwrap();
    let error = error_of(&elsewhere.output().unwrap());
    assert!(error.contains("`closed/data` cannot be read and written"), "{error}");
}

#[test]
fn a_second_server_is_refused_and_commands_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Served::start(&mut serve(folder.path())).unwrap();
    let keys = |arguments: &[&str]| {
        let output =
            ropewalk(folder.path()).args(["keys", "--data-dir", "data"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    keys(&["list"]);
    for _ in 0..2 {
        let error = Served::start(&mut serve(folder.path())).map(drop).unwrap_err();
        assert!(error.contains("folder `data` is in use by another server"), "{error}");
        assert_eq!(first.post("/threads", &json!({})).0, 200, "the first goes on");
    }
    keys(&["create", "--organization", "org-a"]);
    assert_eq!(first.post("/threads", &json!({})).0, 401, "which knows what the command did");
    assert!(first.is_up());
    first.kill();
    Served::start(&mut serve(folder.path())).unwrap();
}
