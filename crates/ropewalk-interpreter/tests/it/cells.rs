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
