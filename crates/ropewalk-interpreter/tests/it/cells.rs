use super::{printed, run, sandbox};
use ropewalk_interpreter::{CellEnd, Error, Output, Sandbox, Session};

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
    let look =
        "import os\nprint('secret' in globals(), os.listdir('/mnt/data'), os.path.exists('/tmp/mine'))";
    assert_eq!(printed(&mut other, look).await, "False [] False\n");
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
        ("async def five():\n    return 5\nwork = asyncio.create_task(five())\nawait work", "5\n"),
        ("later = asyncio.create_task(five()); await asyncio.sleep(0)", ""),
        ("print(await later)", "5\n"),
        ("asyncio.run(five())", "5\n"),
        ("%time print(6 * 7)", "42\n"),
        ("%%time\nprint(6 * 7)", "42\n"),
        ("%whos", "`%whos` is not known here.\n"),
        ("text = 'a\\n!b'\nx % 3", "2\n"),
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

#[tokio::test]
async fn an_error_message_that_is_no_text_is_told_and_ends_nothing() {
    let mut session = sandbox().await.session().await.expect("a session");
    let (_, end) = run(&mut session, "raise ValueError('half: \\ud800')").await;
    assert!(
        matches!(&end, CellEnd::Failed { traceback } if traceback.ends_with("ValueError: half: \\ud800\n")),
        "{end:?}"
    );
    assert_eq!(printed(&mut session, "1").await, "1\n");
}

/// Stands for an image of Pillow.
const IMAGE: &str =
    "class Image:\n    __module__ = 'PIL.Image'\n    def _repr_png_(self):\n        return self.png";

#[tokio::test]
async fn what_is_printed_before_an_image_comes_before_it() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, IMAGE).await;
    printed(&mut session, "image = Image(); image.png = b'x'").await;
    let (outputs, end) = session.run("print('no end of a line', end='')\nimage").finish().await;
    let expected = vec![Output::Text("no end of a line".to_owned()), Output::Image(vec![b'x'].into())];
    assert_eq!((outputs, end), (expected, CellEnd::Completed));
}

#[tokio::test]
async fn an_image_that_is_too_large_is_told_of_and_ends_nothing() {
    let mut session =
        super::sandbox_with(|limits| limits.image = 1000).await.session().await.expect("a session");
    printed(&mut session, IMAGE).await;
    printed(&mut session, "image = Image(); image.png = b'x' * 1000").await;
    let (outputs, end) = session.run("image").finish().await;
    assert_eq!((outputs, end), (vec![Output::Image(vec![b'x'; 1000].into())], CellEnd::Completed));
    let told = "[an image of 1,001 bytes is too large to be shown; save it to a file instead]\n";
    assert_eq!(printed(&mut session, "image.png += b'x'\nimage").await, told);
}

#[tokio::test]
async fn figures_of_a_cell_that_failed_are_its_own() {
    let mut session = sandbox().await.session().await.expect("a session");
    // Stands for matplotlib.
    let pyplot = "import os, sys, threading, types\nplt = types.ModuleType('matplotlib.pyplot')\nfigures = []\n\
        class Figure:\n    def savefig(self, file, **_): file.write(b'x' * (1 << 20))\n\
        plt.get_fignums = lambda: range(len(figures))\nplt.figure = lambda number: figures[number]\n\
        plt.close = lambda _: figures.clear()\nsys.modules['matplotlib.pyplot'] = plt";
    printed(&mut session, pyplot).await;
    let (outputs, end) = session.run("figures += [Figure(), Figure()]").finish().await;
    assert_eq!((outputs.len(), end), (2, CellEnd::Completed));
    let broken = "def fail(*_, **__): raise ValueError('bad formula')\nbad = Figure(); bad.savefig = fail\nfigures.append(bad)";
    assert!(matches!(run(&mut session, broken).await.1, CellEnd::Failed { .. }));
    assert_eq!(printed(&mut session, "1").await, "1\n", "it is not drawn again and again");
    assert!(matches!(run(&mut session, "figures.append(Figure())\n1 / 0").await.1, CellEnd::Failed { .. }));
    assert_eq!(printed(&mut session, "2").await, "2\n", "what a failed cell began is not shown by the next");
}

#[tokio::test]
async fn a_session_that_was_lost_is_not_alive() {
    let mut session = sandbox().await.session().await.expect("a session");
    let (_, end) = run(&mut session, "import os; os._exit(0)").await;
    assert!(matches!(end, CellEnd::Lost { .. }) && !session.is_alive(), "{end:?}");
}

/// The packages of the environment, where there is one.
async fn session_with_packages() -> Option<Session> {
    let mut options = super::options();
    options.packages = ["matplotlib.pyplot", "pandas"].map(str::to_owned).into();
    match Sandbox::start(options).await {
        Err(Error::Environment { why, .. }) if why.contains("ModuleNotFoundError") => {
            eprintln!("skipped: {why}; `cargo xtask setup` makes an environment with packages");
            None
        }
        sandbox => Some(sandbox.expect("Python is there").session().await.expect("a session")),
    }
}

#[tokio::test]
async fn figures_of_threads_are_whole_and_those_of_processes_are_their_own() {
    let Some(mut session) = session_with_packages().await else { return };
    let begin = "import multiprocessing, random, threading\nimport matplotlib.pyplot as plt\n\
        noise = [[random.random() for _ in range(300)] for _ in range(300)]\n\
        def draw(*_):\n    plt.imshow(noise)\n    plt.show()";
    printed(&mut session, begin).await;
    let (outputs, end) = session.run("draw()\nplt.figure()\ndraw()").finish().await;
    assert_eq!((outputs.len(), end), (2, CellEnd::Completed));
    let process = "child = multiprocessing.Process(target=draw)\nchild.start()\nchild.join()\nchild.exitcode";
    assert_eq!(printed(&mut session, process).await, "0\n", "it draws, and nobody sees it");
    // Of a kind that does not draw in threads, which matplotlib cannot: it only sends.
    let threads = "import io\nclass Large:\n    def savefig(self, file, **_): file.write(bytes(1 << 20))\n\
        plt.get_fignums, plt.figure = lambda: [1, 2], lambda number: Large()\n\
        threads = [threading.Thread(target=plt.show) for _ in range(4)]\n\
        for thread in threads: thread.start()\nfor thread in threads: thread.join()";
    let (outputs, end) = session.run(threads).finish().await;
    let large = Output::Image(vec![0; 1 << 20].into());
    assert_eq!(end, CellEnd::Completed);
    assert!(outputs.len() == 10 && outputs.iter().all(|output| *output == large), "{}", outputs.len());
}

#[tokio::test]
async fn tables_are_as_wide_as_a_line_of_text() {
    let Some(mut session) = session_with_packages().await else { return };
    let code = "import pandas as pd\nprint(pd.DataFrame({f'column_{n}': [n] for n in range(30)}))";
    let widest = printed(&mut session, code).await.lines().map(str::len).max();
    assert!(widest.is_some_and(|widest| (81..=120).contains(&widest)), "{widest:?}");
}
