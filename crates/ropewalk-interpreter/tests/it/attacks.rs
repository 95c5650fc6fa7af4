//! What hostile cells try. Each prints what it got hold of; nothing is what it should be.

use std::time::Duration;

use ropewalk_interpreter::{CellEnd, Sandbox};

use super::{printed, run, sandbox};

/// An honest answer of the same session, or an honest loss, and a neighbour that answers.
async fn survives(sandbox: &Sandbox, code: &str) -> (String, CellEnd) {
    let mut neighbour = sandbox.session().await.expect("a neighbour");
    let mut session = sandbox.session().await.expect("a session");
    let told = session.run(code).within(Duration::from_secs(20)).finish().await;
    let text = told.0.iter().map(|output| format!("{output:?}")).collect::<String>();
    let next =
        tokio::time::timeout(Duration::from_secs(30), run(&mut session, "6 * 7")).await.expect("an answer");
    match next {
        (text, CellEnd::Completed) => assert_eq!(text, "42\n", "{code}"),
        (_, end) => assert!(matches!(end, CellEnd::Lost { .. }), "{code}: {end:?}"),
    }
    let answer = tokio::time::timeout(Duration::from_secs(30), printed(&mut neighbour, "6 * 7")).await;
    assert_eq!(answer.expect("the neighbour answers"), "42\n", "{code}");
    (text, told.1)
}

/// Each line is tried; those that succeed are printed.
fn tries(setup: &str, lines: &[&str]) -> String {
    format!(
        "{setup}\nfor attempt in {lines:?}:\n    try:\n        exec(attempt)\n        print('GOT', attempt)\n    except BaseException:\n        pass\n"
    )
}

async fn gets_nothing(setup: &str, lines: &[&str]) {
    let sandbox = sandbox().await;
    let (text, end) = survives(&sandbox, &tries(setup, lines)).await;
    assert_eq!((text.as_str(), end), ("", CellEnd::Completed));
}

const SYSCALL: &str = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
    def call(*numbers):\n    if libc.syscall(*[ctypes.c_long(n) for n in numbers]) < 0: raise OSError(ctypes.get_errno(), '')";

#[tokio::test]
async fn the_host_s_files_are_not_there() {
    gets_nothing(
        "import os, sys",
        &[
            "open('/etc/shadow')",
            "open('/proc/1/mem', 'r+b')",
            "open('/proc/1/environ').read()",
            "os.listdir('/proc/1/root')",
            "open('/proc/self/mem', 'r+b') and open('/proc/1/maps').read(1)",
            "open('/proc/kcore', 'rb')",
            "open('/proc/sysrq-trigger', 'w')",
            "open('/sys/fs/cgroup/cgroup.procs')",
            "[name for name in os.listdir('/root') if not sys.base_prefix.startswith(f'/root/{name}/')][0]",
            "os.listdir('/home')[0]",
            "open('/usr/bin/x', 'w')",
            "open('/dev/mem', 'rb')",
            "open('/dev/kmsg')",
            "os.mknod('/mnt/data/x', 0o60600, 0x800)",
            "os.chmod('/usr/bin', 0o777)",
            "os.chroot('/mnt/data')",
            "os.setuid(0)",
            "os.setuid(200000)",
            "os.rename('/etc/passwd', '/etc/p')",
        ],
    )
    .await;
}

#[tokio::test]
async fn the_host_s_name_is_not_there() {
    let mut session = sandbox().await.session().await.expect("a session");
    let names = "import os, socket\nprint(os.uname().nodename, socket.gethostname())";
    assert_eq!(printed(&mut session, names).await, "session session\n");
}

#[tokio::test]
async fn a_process_that_a_cell_forks_has_no_socket_to_the_server() {
    let look = "import os, stat\ndef sockets():\n    found = []\n    for name in os.listdir('/proc/self/fd'):\n        try:\n            found += [name] * stat.S_ISSOCK(os.stat(f'/proc/self/fd/{name}').st_mode)\n        except OSError: pass\n    return found";
    let fork = "print(len(sockets()), flush=True)\nchild = os.fork()\nif child == 0:\n    print(len(sockets()), flush=True)\n    os._exit(0)\nos.waitpid(child, 0)[1]";
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, look).await;
    assert_eq!(printed(&mut session, fork).await, "1\n0\n0\n", "its own, the child's, and how that ended");
    assert_eq!(printed(&mut session, "6 * 7").await, "42\n");
}

#[tokio::test]
async fn no_network_of_any_family() {
    let families = "import socket, os";
    let lines: Vec<String> = (0..46)
        .flat_map(|family| [1, 2, 3].map(|kind| format!("socket.socket({family}, {kind}, 0)")))
        .collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.extend(["socket.getaddrinfo('example.com', 80)[0][4][0].index('.')", "socket.socketpair(2)"]);
    gets_nothing(families, &lines).await;
    let mut session = sandbox().await.session().await.expect("a session");
    let local = "import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))";
    assert_eq!(printed(&mut session, local).await, "b'x'\n", "pairs within the session work");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn calls_that_open_the_kernel_are_refused() {
    gets_nothing(
        SYSCALL,
        &[
            "call(272, 0x10000000)",                 // unshare
            "call(308, 3, 0)",                       // setns
            "call(165, 0, 0, 0, 0, 0)",              // mount
            "call(155, 0, 0)",                       // pivot_root
            "call(428, -100, 0, 0)",                 // open_tree
            "call(101, 16, 1, 0, 0)",                // ptrace
            "call(310, 1, 0, 0, 0, 0, 0)",           // process_vm_readv
            "call(321, 0, 0, 0)",                    // bpf
            "call(298, 0, 0, -1, -1, 0)",            // perf_event_open
            "call(425, 8, 0)",                       // io_uring_setup
            "call(323, 0)",                          // userfaultfd
            "call(248, 0, 0, 0, 0, 0)",              // add_key
            "call(29, 0, 4096, 0o1600)",             // shmget
            "call(435, 0, 0)",                       // clone3
            "call(56, 0x10000000 | 17, 0, 0, 0, 0)", // clone with a namespace
            "call(240, 0, 0, 0, 0)",                 // mq_open
            "call(303, -100, 0, 0, 0, 0)",           // name_to_handle_at
        ],
    )
    .await;
}

#[tokio::test]
async fn calls_newer_than_the_filter_do_not_exist() {
    // From `map_shadow_stack` on, `statmount`, `listmount` and `open_tree_attr` among them.
    let code = format!(
        "{SYSCALL}\nseen = set()\nfor number in range(453, 520):\n    try: call(number, 0, 0, 0, 0, 0, 0)\n    except OSError as error: seen.add(error.errno)\n    else: seen.add(number)\nprint(seen)"
    );
    let mut session = sandbox().await.session().await.expect("a session");
    assert_eq!(printed(&mut session, &code).await, "{38}\n", "all are unknown");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn other_tables_of_calls_end_the_process() {
    let sandbox = sandbox().await;
    // The x32 table's `socket`, and 32-bit `getpid` by its interrupt.
    let machine_code = "import mmap, ctypes\nmemory = mmap.mmap(-1, 4096, prot=7)\nmemory.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n\
         function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))\nprint('GOT', function())";
    let x32 = format!("{SYSCALL}\ncall(0x40000029, 2, 1, 0)\nprint('GOT')");
    for code in [machine_code, &x32] {
        let (text, end) = survives(&sandbox, code).await;
        assert!(!text.contains("GOT") && matches!(end, CellEnd::Lost { .. }), "{text} {end:?}");
    }
}

#[tokio::test]
async fn bombs_hurt_their_own_session_alone() {
    let sandbox = sandbox().await;
    for code in [
        "import os\nfor _ in range(3000):\n    try:\n        if os.fork() == 0:\n            import time; time.sleep(100); os._exit(0)\n    except OSError: pass",
        "import threading, time\nthreads = []\ntry:\n    for _ in range(3000):\n        threads.append(threading.Thread(target=time.sleep, args=(100,), daemon=True)); threads[-1].start()\nexcept RuntimeError: pass",
        "data = []\nwhile True: data.append(bytearray(64 << 20))",
        "import os\ntry:\n    with open('big', 'wb') as file:\n        while True: file.write(bytes(1 << 20))\nexcept OSError: os.remove('big')",
        "import os\ntry:\n    for n in range(100000): open(f'f{n}', 'w').close()\nexcept OSError: print('full', n)",
        "files = []\ntry:\n    while True: files.append(open('/dev/null'))\nexcept OSError: files.clear()",
        "for _ in range(300): print('x' * 100000)",
        "import os\nos.kill(1, 9)\nos.kill(1, 2)\nos.kill(1, 15)",
        "import os\nos.kill(-1, 15)",
    ] {
        survives(&sandbox, code).await;
    }
}

#[tokio::test]
async fn output_is_cut_and_the_cut_is_told() {
    let sandbox = super::sandbox_with(|limits| limits.printed = 1000).await;
    let mut session = sandbox.session().await.expect("a session");
    let text = printed(&mut session, "for _ in range(1000): print('x' * 1000)").await;
    assert!(
        text.len() < 1100 && text.ends_with("[output cut here: too much was printed]\n"),
        "{}",
        text.len()
    );
    assert_eq!(printed(&mut session, "1").await, "1\n");
}

#[tokio::test]
async fn an_interpreter_that_breaks_itself_is_answered_for() {
    let sandbox = sandbox().await;
    for code in [
        "import sys\nsys.exit(3)",
        "exit()",
        "import os\nos._exit(0)",
        "import os\nos.abort()",
        "import ctypes\nctypes.string_at(0)",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        "print = None\nimport builtins\nbuiltins.print = builtins.repr = builtins.exec = builtins.compile = builtins.open = None",
        "import builtins\nbuiltins.__dict__.clear()",
        "import sys\nsys.modules.clear()",
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
        "import sys\nsys.stdout.close(); sys.stderr.close()",
        "import os\nfor n in range(3): os.close(n)",
        "import os\nos.closerange(0, 2000)",
        "import json\njson.dumps = json.loads = None",
        "import struct, os, ast\nstruct.pack = os.dup2 = os.getpid = ast.parse = None",
        "import os\nchild = os.fork()",
        "class E(BaseException):\n    def __str__(self): raise self\nraise E",
        "import sys, gc\nsys.settrace(lambda *a: 1/0)",
        "raise KeyboardInterrupt",
        "import threading\nthreading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()",
        "import os, sys\nos.execv('/bin/true', ['true'])",
    ] {
        survives(&sandbox, code).await;
    }
}

#[tokio::test]
async fn forged_frames_are_not_believed_by_others() {
    let sandbox = sandbox().await;
    let find = "import os, stat, struct, json\nsockets = [n for n in range(2000) if os.path.exists(f'/proc/self/fd/{n}') and stat.S_ISSOCK(os.fstat(n).st_mode)]\n\
                def frame(header): return struct.pack('>I', len(header)) + header\n";
    for forged in [
        "os.write(sockets[0], b'\\xff' * 100)",
        "os.write(sockets[0], frame(b'not json'))",
        "os.write(sockets[0], frame(json.dumps({'cell': 'x', 'kind': 'image', 'bytes': 1 << 40}).encode()))",
        "os.write(sockets[0], frame(json.dumps({'cell': '1', 'kind': 'end', 'error': None, 'bytes': 0}).encode()) * 1000)",
        "os.set_blocking(sockets[0], False)\nos.read(sockets[0], 1)",
        "os.close(sockets[0])",
        "import socket; socket.socket(fileno=os.dup(sockets[0])).shutdown(2)",
    ] {
        survives(&sandbox, &format!("{find}{forged}")).await;
    }
}

#[tokio::test]
async fn nothing_stays_of_a_session_that_ended() {
    let sandbox = sandbox().await;
    let mut session = sandbox.session().await.expect("a session");
    let daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        open('/tmp/alive', 'w').close()\n        os.execv('/bin/sleep', ['ropewalk-daemon', '1000'])\n    os._exit(0)\nwhile not os.path.exists('/tmp/alive'): time.sleep(0.01)\ntime.sleep(0.1)";
    printed(&mut session, daemon).await;
    let lives = || {
        std::fs::read_dir("/proc").expect("/proc").flatten().any(|process| {
            std::fs::read(process.path().join("cmdline"))
                .is_ok_and(|words| words.starts_with(b"ropewalk-daemon"))
        })
    };
    assert!(lives(), "the daemon runs");
    session.end().await;
    assert!(!lives(), "it went with its session");
}

#[tokio::test]
async fn what_others_do_to_shared_files_is_not_seen_and_no_lock_of_them_is_taken() {
    gets_nothing(
        "import ctypes, fcntl, os\nlibc = ctypes.CDLL(None)",
        &[
            "assert libc.inotify_init() >= 0",
            "assert libc.inotify_init1(0) >= 0",
            "fcntl.flock(os.open('/usr/bin/env', os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)",
        ],
    )
    .await;
}
