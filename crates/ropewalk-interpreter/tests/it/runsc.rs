//! Sessions in gVisor, where its program is installed.

use std::{path::PathBuf, time::Duration};

use ropewalk_interpreter::{CellEnd, Error, Runsc, RunscOptions, Session};
use tokio::io::AsyncReadExt;

use super::{lacks, leaks::Held, printed, run};

/// The program, as the tests are told, or by its name.
fn program() -> PathBuf {
    std::env::var_os("ROPEWALK_RUNSC").map_or_else(|| "runsc".into(), PathBuf::from)
}

fn is_installed() -> bool {
    std::process::Command::new(program()).arg("--version").output().is_ok()
}

fn options() -> RunscOptions {
    let mut options = RunscOptions::new(super::options().python);
    options.runsc = program();
    options
}

/// Sessions of `runsc`, and one of them. Where there is no such program, the test is skipped, and says so.
async fn runsc_with(change: impl FnOnce(&mut RunscOptions)) -> (Runsc, Session) {
    if !is_installed() {
        assert!(
            std::env::var_os("NEXTEST").is_some(),
            "`runsc` is not installed, and a test cannot be skipped alone"
        );
        eprintln!("SKIPPED: `runsc` is not installed");
        std::process::exit(0);
    }
    let mut options = options();
    change(&mut options);
    let runsc = Runsc::new(options);
    match runsc.session().await {
        Err(Error::Layer { layer, why }) => lacks(layer, &why),
        session => (runsc, session.expect("gVisor starts")),
    }
}

#[tokio::test]
async fn cells_run_and_keep_their_state_in_a_kernel_of_their_own() {
    let (_, mut session) = runsc_with(|_| {}).await;
    assert_eq!(printed(&mut session, "x = 20\nprint('añ→🧵')").await, "añ→🧵\n");
    assert_eq!(printed(&mut session, "x * 2 + 2").await, "42\n");
    assert_eq!(printed(&mut session, "import sys; sys.stderr.write('an error'); x = 1").await, "an error");
    let CellEnd::Failed { traceback } = run(&mut session, "x / 0").await.1 else { panic!("it fails") };
    assert!(traceback.ends_with("ZeroDivisionError: division by zero\n"), "{traceback}");
    let version = std::fs::read_to_string("/proc/version").expect("Linux");
    assert_ne!(printed(&mut session, "print(open('/proc/version').read(), end='')").await, version);
    let shell = "import subprocess\nprint(subprocess.run('id -u; echo $HOME', shell=True, capture_output=True, text=True).stdout)";
    assert_eq!(printed(&mut session, shell).await, "1000\n/mnt/data\n\n");
}

#[tokio::test]
async fn files_go_in_and_come_out_and_are_there_when_their_session_is_not() {
    let (_, mut session) = runsc_with(|_| {}).await;
    let data = session.data().clone();
    assert_eq!(data.put("in/prices → €.csv", &b"a,b\n1,2\n"[..]).await.expect("room"), 8);
    let code = "import csv, os\nprint(list(csv.reader(open('in/prices → €.csv'))))\nopen('in/prices → €.csv', 'a').write('3,4')\n\
                os.symlink('/etc/passwd', 'link')\nos.mkfifo('pipe')\nopen('out.bin', 'wb').write(bytes(range(256)) * 4096)";
    assert_eq!(printed(&mut session, code).await, "[['a', 'b'], ['1', '2']]\n1048576\n");
    let seen: Vec<_> =
        data.files().await.expect("a listing").into_iter().map(|file| (file.path, file.bytes)).collect();
    assert_eq!(seen, [("in/prices → €.csv".to_owned(), 11), ("out.bin".to_owned(), 1 << 20)]);
    assert!(matches!(data.open("link").await, Err(Error::File { why: "it is a link", .. })));
    // What is put in place of something is seen within.
    data.put("out.bin", &b"new"[..]).await.expect("room");
    assert_eq!(printed(&mut session, "print(open('out.bin').read())").await, "new\n");
    let (_, end) = run(&mut session, "import os; os._exit(1)").await;
    assert!(matches!(end, CellEnd::Lost { .. }) && !session.is_alive(), "{end:?}");
    drop(session);
    let mut content = String::new();
    data.open("out.bin").await.expect("it is there").0.read_to_string(&mut content).await.expect("text");
    assert_eq!(content, "new");
}

#[tokio::test]
async fn what_may_be_written_is_bounded_in_bytes_and_in_files() {
    let (_, mut session) = runsc_with(|options| options.limits.data = 1 << 20).await;
    let code = "import errno\ntry:\n    open('large', 'wb').write(bytes(2 << 20))\nexcept OSError as error:\n    print(errno.errorcode[error.errno])";
    assert_eq!(printed(&mut session, code).await, "ENOSPC\n");
    let code = "for place in ('/', '/usr', '/etc', '/dev', '/sys', '/proc', '/lib'):\n    try:\n        open(f'{place}/x', 'w')\n        print(place)\n    except OSError:\n        pass";
    assert_eq!(printed(&mut session, code).await, "");
}

#[tokio::test]
async fn a_cell_that_takes_too_long_is_interrupted_or_ended_with_its_session() {
    let (_, mut session) = runsc_with(|_| {}).await;
    printed(&mut session, "kept = 'here'").await;
    for code in [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import subprocess\nsubprocess.run(['sleep', '1000'])",
    ] {
        let cell = session.run(code).within(Duration::from_millis(500));
        assert_eq!(cell.end().await, CellEnd::TimedOut, "{code}");
        assert_eq!(printed(&mut session, "kept").await, "'here'\n");
    }
    let code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass";
    let end = session.run(code).within(Duration::from_millis(500)).end().await;
    assert!(matches!(end, CellEnd::Lost { .. }) && !session.is_alive(), "{end:?}");
}

#[tokio::test]
async fn a_cell_that_is_dropped_is_interrupted_and_the_next_one_is_not() {
    let (_, mut session) = runsc_with(|_| {}).await;
    printed(&mut session, "import time; kept = 1").await;
    for _ in 0..5 {
        let mut cell = session.run("print('begun')\nwhile True: pass");
        assert!(cell.next().await.is_some());
        drop(cell);
        // It lasts until what was asked for twice has come.
        assert_eq!(printed(&mut session, "time.sleep(0.2); kept").await, "1\n");
    }
}

#[tokio::test]
async fn there_is_no_network_and_no_right_to_be_had() {
    let (_, mut session) = runsc_with(|_| {}).await;
    let code = "import os, socket\nprint([name for _, name in socket.if_nameindex()])\n\
                for address in ('1.1.1.1', '169.254.169.254', '127.0.0.1'):\n    try:\n        socket.create_connection((address, 80), timeout=5)\n        print('open')\n    except OSError as error:\n        assert 'timed out' not in str(error)\n\
                status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if line.startswith(('Cap', 'Uid')))\n\
                print(sorted(set(value.strip() for value in status.values())))";
    assert_eq!(
        printed(&mut session, code).await,
        "['lo']\n['0000000000000000', '1000\\t1000\\t1000\\t1000']\n"
    );
    let code = "import resource\nprint([resource.getrlimit(getattr(resource, f'RLIMIT_{name}'))[1] for name in ('NPROC', 'NOFILE', 'CORE')])";
    assert_eq!(printed(&mut session, code).await, "[128, 1024, 0]\n");
}

#[tokio::test]
async fn sessions_know_nothing_of_each_other_and_leave_nothing() {
    let (runsc, mut one) = runsc_with(|_| {}).await;
    let mut other = runsc.session().await.expect("another");
    printed(&mut one, "secret = 1; open('mine', 'w').write('x'); open('/tmp/mine', 'w').write('x')").await;
    let look = "import os\nprint('secret' in globals(), os.listdir('/mnt/data'), os.path.exists('/tmp/mine'), sorted(filter(str.isdigit, os.listdir('/proc'))))";
    assert_eq!(printed(&mut other, look).await, "False [] False ['1']\n");
    let random = "import random; print(random.random())";
    assert_ne!(printed(&mut one, random).await, printed(&mut other, random).await);
    one.end().await;
    assert_eq!(printed(&mut other, "1").await, "1\n");
    drop(other);
    is_all_gone().await;
}

/// Nothing is below this process, and no group of its is left.
async fn is_all_gone() {
    let held = Held::once(|held| held.processes.len() == 1 && held.groups.is_empty()).await;
    assert!(held.processes.len() == 1 && held.groups.is_empty(), "{held:?}");
}

#[tokio::test]
async fn one_that_takes_all_it_can_get_harms_nobody_else() {
    let (runsc, mut other) = runsc_with(|options| options.limits.memory = 512 << 20).await;
    let memory = "held = []\nwhile True: held.append(bytearray(16 << 20))";
    let forks = "import os, time\nwhile True:\n    try:\n        if os.fork() == 0: time.sleep(1000)\n    except OSError: time.sleep(1000)";
    for code in [memory, forks] {
        let mut one = runsc.session().await.expect("a session");
        let (end, neighbour) = {
            let mut cell = std::pin::pin!(one.run(code).within(Duration::from_secs(3)).end());
            tokio::select! {
                end = &mut cell => (end, printed(&mut other, "1 + 1").await),
                seen = printed(&mut other, "1 + 1") => (cell.await, seen),
            }
        };
        assert!(
            matches!(end, CellEnd::Lost { .. } | CellEnd::Failed { .. } | CellEnd::TimedOut),
            "{code}: {end:?}"
        );
        assert_eq!(neighbour, "2\n", "beside {code}");
        one.end().await;
    }
    assert_eq!(printed(&mut other, "1 + 1").await, "2\n");
    drop(other);
    is_all_gone().await;
}

#[tokio::test]
async fn packages_are_imported_and_one_that_cannot_be_is_told() {
    let (_, mut session) = runsc_with(|options| options.packages = vec!["json".to_owned()]).await;
    assert_eq!(printed(&mut session, "import sys; 'json' in sys.modules").await, "True\n");
    let mut without = options();
    without.packages = vec!["no_such_package".to_owned()];
    match Runsc::new(without).session().await {
        Err(Error::Environment { why, .. }) => {
            assert!(why.starts_with("`import no_such_package` fails in gVisor: "), "{why}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_named() {
    let mut nowhere = options();
    nowhere.runsc = "/nowhere/runsc".into();
    match Runsc::new(nowhere).session().await {
        Err(Error::Start(why)) => assert!(
            why.starts_with("`/nowhere/runsc` cannot be run: ") && why.contains("apt install runsc"),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
    let mut platform = options();
    platform.platform = "abacus".to_owned();
    if is_installed() {
        match Runsc::new(platform).session().await {
            Err(Error::Layer { layer, why }) => lacks(layer, &why),
            Err(Error::Start(why)) => assert!(why.contains("abacus"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
