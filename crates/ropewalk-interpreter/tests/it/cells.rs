use super::{printed, run, sandbox};
use ropewalk_interpreter::CellEnd;

#[tokio::test]
async fn a_session_keeps_its_state_and_shows_the_last_value() {
    let mut session = sandbox().await.session().await.expect("a session");
    assert_eq!(printed(&mut session, "x = 20\nprint('añ→🧵')").await, "añ→🧵\n");
    assert_eq!(printed(&mut session, "x * 2 + 2").await, "42\n");
    assert_eq!(printed(&mut session, "None").await, "");
    assert_eq!(printed(&mut session, "import sys; sys.stderr.write('to both'); x = 1").await, "to both");
}

#[tokio::test]
async fn a_traceback_shows_the_lines_of_the_cell_and_nothing_of_the_loop() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, "def share(n):\n    return 1 / n").await;
    let (_, end) = run(&mut session, "print('before')\nshare(0)").await;
    let CellEnd::Failed { traceback } = end else { panic!("{end:?}") };
    let lines: Vec<&str> =
        traceback.lines().filter(|line| !line.trim_start().starts_with(['~', '^'])).collect();
    let expected = [
        "Traceback (most recent call last):",
        "  File \"<cell 2>\", line 2, in <module>",
        "    share(0)",
        "  File \"<cell 1>\", line 2, in share",
        "    return 1 / n",
        "ZeroDivisionError: division by zero",
    ];
    assert_eq!(lines, expected);
    let (_, end) = run(&mut session, "if True print(1)").await;
    assert!(matches!(&end, CellEnd::Failed { traceback } if traceback.contains("SyntaxError")), "{end:?}");
    assert_eq!(printed(&mut session, "share(4)").await, "0.25\n", "its variables are as they were");
}

#[tokio::test]
async fn processes_of_its_own_work_within_the_limits() {
    let mut session = sandbox().await.session().await.expect("a session");
    let shell = "import subprocess\nprint(subprocess.run('id -u; echo $HOME', shell=True, capture_output=True, text=True).stdout)";
    assert_eq!(printed(&mut session, shell).await, "1000\n/mnt/data\n\n");
    let pool =
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool:\n    print(pool.map(abs, [-1, 2]))";
    assert_eq!(printed(&mut session, pool).await, "[1, 2]\n");
}

#[tokio::test]
async fn sessions_know_nothing_of_each_other() {
    let sandbox = sandbox().await;
    let (mut one, mut other) = (sandbox.session().await.expect("one"), sandbox.session().await.expect("two"));
    printed(
        &mut one,
        "secret = 1; open('/mnt/data/mine', 'w').write('x'); open('/tmp/mine', 'w').write('x')",
    )
    .await;
    let look = "import os\nprint('secret' in globals(), os.listdir('/mnt/data'), os.listdir('/tmp'))";
    assert_eq!(printed(&mut other, look).await, "False [] []\n");
    let random = "import random; print(random.random())";
    assert_ne!(printed(&mut one, random).await, printed(&mut other, random).await);
}

#[tokio::test]
async fn a_traceback_has_the_cells_own_frames_alone() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, "import json\ndef load(text):\n    return json.loads(text)").await;
    let (_, end) = run(
        &mut session,
        "try:\n    load('{')\nexcept ValueError as error:\n    raise KeyError('é') from error",
    )
    .await;
    let CellEnd::Failed { traceback } = end else { panic!("{end:?}") };
    let files: Vec<_> = traceback.lines().filter(|line| line.contains("File ")).collect();
    assert_eq!(files.len(), 3, "{traceback}");
    assert!(files.iter().all(|line| line.contains("<cell ")), "{traceback}");
    for expected in ["return json.loads(text)", "JSONDecodeError", "KeyError: 'é'", "direct cause"] {
        assert!(traceback.contains(expected), "{traceback}");
    }
    let (_, end) = run(&mut session, "x = 1\nif x\n  y").await;
    assert!(matches!(&end, CellEnd::Failed { traceback } if traceback.contains("if x")), "{end:?}");
}

#[tokio::test]
async fn what_notebooks_allow_works() {
    let mut session = sandbox().await.session().await.expect("a session");
    let cells = [
        ("import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 7)", "7\n"),
        ("%matplotlib inline\n!echo $((6 * 7))\n1 + 1", "42\n2\n"),
        ("if True:\n    !pip install numpy\n", "Nothing can be installed here: there is no network.\n"),
        ("print('before')\nexit()", "before\n"),
        ("x = 5; print(__name__)", "__main__\n"),
        ("open('worker.py', 'w').write('y = 6')\nimport worker\nworker.y", "6\n"),
        (
            "import multiprocessing\ndef double(x):\n    return 2 * x\nwith multiprocessing.Pool(2) as pool:\n    print(pool.map(double, [x]))",
            "[10]\n",
        ),
        (
            "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor(2) as pool:\n    print(list(pool.map(double, [1, 2])))",
            "[2, 4]\n",
        ),
        ("print('\\ud800 é')", "\\ud800 é\n"),
    ];
    for (code, expected) in cells {
        assert_eq!(printed(&mut session, code).await, expected, "{code}");
    }
    let (_, end) = run(&mut session, "input()").await;
    assert!(
        matches!(&end, CellEnd::Failed { traceback } if traceback.ends_with("EOFError: EOF when reading a line\n")),
        "{end:?}"
    );
}

/// The end of a cell may be heard of before what it printed: both are there by then.
#[tokio::test]
async fn what_a_cell_prints_is_its_own() {
    let mut session = sandbox().await.session().await.expect("a session");
    for number in 0..1000 {
        assert_eq!(printed(&mut session, &format!("print({number})")).await, format!("{number}\n"));
    }
}
