//! The Python that comes with the crate: nothing of it is ever written to a disk.

use serde_json::json;

/// A name, and a source.
pub(crate) type Module = (&'static str, &'static str);

/// What cells run in.
pub(crate) const WORKER: [Module; 4] = [
    ("failure", include_str!("python/failure.py")),
    ("notebook", include_str!("python/notebook.py")),
    ("shown", include_str!("python/shown.py")),
    ("worker", include_str!("python/worker.py")),
];
/// What puts the wall up, and the first process of a session.
pub(crate) const SESSION: [Module; 2] =
    [("wall", include_str!("python/wall.py")), ("session", include_str!("python/session.py"))];
pub(crate) const ZYGOTE: Module = ("zygote", include_str!("python/zygote.py"));
/// What starts gVisor, and what runs in it.
pub(crate) const GVISOR: Module = ("gvisor", include_str!("python/gvisor.py"));
pub(crate) const GUEST: Module = ("guest", include_str!("python/guest.py"));

/// What Python is to run: makes modules of the [first message](first_message) on standard input, a socket that keeps the
/// bounds of messages, and leaves the rest to the last of them.
pub(crate) const BOOTSTRAP: &str = "
import json, socket, sys, types
server = socket.socket(fileno=0)
first = json.loads(server.recv(1 << 20))
for name, source in first['modules']:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, f'<ropewalk {name}>', 'exec'), module.__dict__)
module.main(server, *first['arguments'])
";

/// The modules of a process, and what the `main` of the last one is given behind the socket.
pub(crate) fn first_message(last: Module, arguments: &[&[String]]) -> String {
    let modules: Vec<_> = WORKER.into_iter().chain(SESSION).chain([last]).collect();
    json!({ "modules": modules, "arguments": arguments }).to_string()
}
