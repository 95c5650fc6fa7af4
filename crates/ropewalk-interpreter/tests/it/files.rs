use std::io::Read;

use ropewalk_interpreter::Error;

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
    file.read_to_end(&mut content).expect("it can be read");
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
    ] {
        match data.open(name).await {
            Err(Error::File { why, .. }) => assert_eq!(why, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    for name in
        ["", ".", "..", "/etc/passwd", "folder/within", "root/etc/passwd", "a\nb", "a\0b", &"x".repeat(256)]
    {
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
    let large = std::io::repeat(b'x').take(2 << 20);
    assert!(matches!(data.put("large", large).await, Err(Error::Io { .. })));
    assert_eq!(printed(&mut session, "import os; print(os.listdir())").await, "[]\n");
}
