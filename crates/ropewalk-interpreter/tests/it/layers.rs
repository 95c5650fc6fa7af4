//! Each layer by itself: what it does is seen with it, and not without it.

use ropewalk_interpreter::{CellEnd, Error, Layer, Outcome, Sandbox, Session};

use super::{lacks, options, printed, run, started};

async fn without(layer: Layer) -> Session {
    let mut options = options();
    options.lifted.insert(layer);
    options.limits.memory = 256 << 20;
    started(options).await.session().await.expect("a session")
}

async fn with_all() -> Session {
    let mut options = options();
    options.limits.memory = 256 << 20;
    let sandbox = started(options).await;
    if let Some(layer) = Layer::ALL.into_iter().find(|layer| !sandbox.layers().contains(layer)) {
        lacks(layer, "it is left out");
    }
    sandbox.session().await.expect("a session")
}

/// A cell prints `held` with all layers, and `open` without this one.
async fn tells_apart(layer: Layer, code: &str) {
    assert_eq!(printed(&mut with_all().await, code).await, "held\n", "{layer} holds");
    assert_eq!(printed(&mut without(layer).await, code).await, "open\n", "without {layer}");
}

#[tokio::test]
async fn seccomp() {
    let code = "import socket\ntry:\n    socket.socket()\n    print('open')\nexcept PermissionError:\n    print('held')";
    tells_apart(Layer::Seccomp, code).await;
}

#[tokio::test]
async fn landlock() {
    let code = "try:\n    open('/proc/self/comm', 'w').write('x')\n    print('open')\nexcept PermissionError:\n    print('held')";
    tells_apart(Layer::Landlock, code).await;
}

#[tokio::test]
async fn rlimits() {
    let code = "import resource\nprint('held' if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 and resource.getrlimit(resource.RLIMIT_NPROC)[1] == 128 else 'open')";
    tells_apart(Layer::Rlimits, code).await;
}

#[tokio::test]
async fn capabilities() {
    let code = "caps = [line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')]\nprint('held' if set(caps) == {'0' * 16} else 'open')";
    tells_apart(Layer::Capabilities, code).await;
}

#[tokio::test]
async fn uid() {
    let code = "import os\nprint('open' if os.getuid() == 0 else 'held')";
    tells_apart(Layer::Uid, code).await;
}

#[tokio::test]
async fn control_group() {
    // Memory that no limit of a process counts.
    let code = "import os\nfiles = [os.memfd_create('x') for _ in range(4)]\nfor file in files * 100: os.write(file, bytes(1 << 20))\nprint('open')";
    let (text, end) = run(&mut with_all().await, code).await;
    assert!(matches!(end, CellEnd::Lost { .. }) && text.is_empty(), "{text} {end:?}");
    assert_eq!(printed(&mut without(Layer::ControlGroup).await, code).await, "open\n");
}

#[tokio::test]
async fn what_everything_stands_on_cannot_be_lifted() {
    for layer in [Layer::Namespaces, Layer::FileSystem] {
        let mut options = options();
        options.lifted.insert(layer);
        assert!(matches!(Sandbox::start(options).await, Err(Error::NotLifted(lifted)) if lifted == layer));
    }
}

#[tokio::test]
async fn an_examination_tries_every_layer() {
    let findings = Sandbox::examine(options()).await.expect("Python is there");
    let layers: Vec<Layer> = findings.iter().map(|finding| finding.layer).collect();
    assert_eq!(layers, Layer::ALL);
    for finding in findings.iter().filter(|finding| finding.layer.is_required()) {
        if let Outcome::Missing { why } = &finding.outcome {
            lacks(finding.layer, why);
        }
        assert_eq!(finding.outcome, Outcome::Holds, "{}", finding.layer);
    }
}
