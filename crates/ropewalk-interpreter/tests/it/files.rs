use ropewalk_interpreter::Error;
use tokio::io::AsyncReadExt;

use super::{printed, sandbox};

#[tokio::test]
async fn files_go_in_and_come_out() {
    let mut session = sandbox().await.session().await.expect("a session");
    let data = session.data().clone();
    assert_eq!(data.put("prices → €.csv", &b"a,b\n1,2\n"[..]).await.expect("room"), 8);
    let code = "import csv\nprint(list(csv.reader(open('/mnt/data/prices → €.csv'))))\nopen('out.bin', 'wb').write(bytes(range(256)) * 4096)";
    assert_eq!(printed(&mut session, code).await, "[['a', 'b'], ['1', '2']]\n1048576\n");
    let (mut file, size) = data.open("out.bin").await.expect("it is there");
    let mut content = Vec::new();
    file.read_to_end(&mut content).await.expect("it can be read");
    assert_eq!((size, content.len()), (1 << 20, 1 << 20));
    // Its user may change what was put there.
    printed(&mut session, "open('prices → €.csv', 'a').write('3,4')").await;
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_taken() {
    let mut session = sandbox().await.session().await.expect("a session");
    let code = "import os\nos.symlink('/etc/passwd', 'link')\nos.symlink('/proc/self/root', 'root')\nos.mkfifo('pipe')\nos.mkdir('folder')\n\
                open('two', 'w').close(); os.link('two', 'names')\nopen('folder/within', 'w').close()";
    printed(&mut session, code).await;
    let data = session.data();
    for (name, expected) in [
        ("link", "it is a link"),
        ("pipe", "it is no regular file"),
        ("folder", "it is no regular file"),
        ("names", "it has more than one name"),
        ("absent", "it is not there"),
        ("two/within", "it is not there"),
        ("root/etc/passwd", "it is a link"),
    ] {
        match data.open(name).await {
            Err(Error::File { why, .. }) => assert_eq!(why, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    for name in ["", ".", "..", "/etc/passwd", "folder/../two", "a\nb", "a\0b", &"x".repeat(256)] {
        assert!(matches!(data.open(name).await, Err(Error::Name(_))), "{name:?}");
        assert!(matches!(data.put(name, &b""[..]).await, Err(Error::Name(_))), "{name:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_put_replaces_a_trap_of_that_name() {
    let mut session = sandbox().await.session().await.expect("a session");
    printed(&mut session, "import os\nos.symlink('/tmp/elsewhere', 'a.txt')\nos.mkfifo('b.txt')").await;
    for name in ["a.txt", "b.txt"] {
        session.data().put(name, &b"new"[..]).await.expect("room");
    }
    let look = "print(open('a.txt').read(), open('b.txt').read(), os.path.exists('/tmp/elsewhere'))";
    assert_eq!(printed(&mut session, look).await, "new new False\n");
}

#[tokio::test]
async fn a_full_folder_is_an_error_and_leaves_no_half_file() {
    let mut session =
        super::sandbox_with(|limits| limits.data = 1 << 20).await.session().await.expect("a session");
    let data = session.data().clone();
    let large = tokio::io::repeat(b'x').take(2 << 20);
    assert!(matches!(data.put("large", large).await, Err(Error::Full)));
    assert_eq!(printed(&mut session, "import os; print(os.listdir())").await, "[]\n");
}

#[tokio::test]
async fn folders_are_made_walked_and_followed_nowhere() {
    let mut session = sandbox().await.session().await.expect("a session");
    let data = session.data().clone();
    data.put("in/by day/a.csv", &b"abc"[..]).await.expect("room");
    let code = "import os\nopen('in/by day/a.csv', 'a').write('d')\nopen('in/b.csv', 'w').close()\nos.makedirs('.cache/x')\n\
                open('.cache/x/hidden', 'w').close()\nos.symlink('/', 'root')\nos.symlink('in/b.csv', 'link')\nos.mkfifo('pipe')\n\
                open(b'bad\\xff', 'w').close()\nopen('two\\nlines', 'w').close()";
    printed(&mut session, code).await;
    let files = data.files().await.expect("a listing");
    let seen: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
    assert_eq!(seen, [("in/b.csv", 0), ("in/by day/a.csv", 4)]);
    printed(&mut session, "open('in/b.csv', 'w').write('x')").await;
    let again = data.files().await.expect("a listing");
    assert_ne!(again[0], files[0]);
    assert_eq!(again[1], files[1]);
    for path in ["root/x.txt", "link/x.txt", "pipe/x.txt"] {
        assert!(data.put(path, &b""[..]).await.is_err(), "{path}");
    }
    // What was a folder is a link by now.
    printed(&mut session, "import shutil; shutil.rmtree('in'); os.symlink('/tmp', 'in')").await;
    assert!(data.put("in/x.txt", &b""[..]).await.is_err());
    assert_eq!(printed(&mut session, "os.path.exists('/tmp/x.txt')").await, "False\n");
}

#[tokio::test]
async fn a_hostile_tree_is_listed_in_bounds() {
    let mut session = sandbox().await.session().await.expect("a session");
    let code = "import os\nfor number in range(4000): open(f'{number}.txt', 'w').close()\nos.mkdir('d'); os.chdir('d')\n\
                for _ in range(2000): os.mkdir('d'); os.chdir('d')\nos.chdir('/mnt/data')";
    printed(&mut session, code).await;
    assert_eq!(session.data().files().await.expect("a listing").len(), 2_000);
}

#[tokio::test]
async fn files_are_there_when_their_session_is_not() {
    let mut session = sandbox().await.session().await.expect("a session");
    let data = session.data().clone();
    super::run(&mut session, "open('a.txt', 'w').write('kept')\nimport os\nos._exit(1)").await;
    session.end().await;
    assert_eq!(data.files().await.expect("a listing").len(), 1);
    let mut content = String::new();
    data.open("a.txt").await.expect("it is there").0.read_to_string(&mut content).await.expect("text");
    assert_eq!(content, "kept");
}

#[tokio::test]
async fn a_file_whose_putting_was_dropped_is_not_there() {
    let session = sandbox().await.session().await.expect("a session");
    let data = session.data().clone();
    let (mut source, content) = tokio::io::duplex(64);
    let mut putting = Box::pin(data.put("a/half.csv", content));
    let feeding = tokio::io::AsyncWriteExt::write_all(&mut source, &[b'x'; 1000]);
    tokio::select! {
        biased;
        put = &mut putting => panic!("{put:?}"),
        fed = feeding => fed.expect("it is read"),
    }
    drop(putting);
    assert_eq!(data.files().await.expect("a list"), []);
}

#[tokio::test]
async fn a_server_whose_files_are_its_own_alone_has_sessions_too() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let mut session = sandbox().await.session().await.expect("a session");
    let code = "open('/mnt/data/a.txt', 'w').write('a'); print(open('/mnt/data/a.txt').read())";
    assert_eq!(printed(&mut session, code).await, "a\n");
}
