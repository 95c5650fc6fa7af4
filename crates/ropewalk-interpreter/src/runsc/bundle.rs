//! What the launcher of a session is told: all policy is made here, Python only carries it out.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Layer,
    plan::{INSIDE, Plan, STAGING},
    runsc::{Host, RunscOptions},
};

/// Makes modules of the first message on the control socket: nothing is written to a disk.
const BOOTSTRAP: &str = "
import json, socket, struct, sys, types
control = socket.socket(fileno=0)
def take(count):
    data = b''
    while len(data) < count:
        data += control.recv(count - len(data)) or sys.exit()
    return data
first = json.loads(take(*struct.unpack('>I', take(4))))
control.detach()
for name, source in first['modules']:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, f'<ropewalk {name}>', 'exec'), module.__dict__)
sys.modules['guest'].main(first['packages'])
";

/// Where the guest may write, and where that is outside of it, below the staging folder.
const PLACES: [(&str, &str); 3] =
    [("/mnt/data", "/places/data"), ("/tmp", "/places/tmp"), ("/dev/shm", "/places/shm")];

/// A session to begin.
#[derive(Debug, Serialize)]
pub(crate) struct Bundle {
    #[serde(flatten)]
    plan: Plan,
    /// The user of its kernel.
    kernel: u32,
    shown: BTreeMap<&'static str, &'static str>,
    /// What starts it, and what interrupts it.
    commands: BTreeMap<&'static str, Vec<String>>,
    /// Of the container, as the OCI has it.
    config: Value,
}

impl Bundle {
    pub(crate) fn new(options: &RunscOptions, host: &Host, (kernel, uid): (u32, u32)) -> Self {
        let plan = host.plan.of(uid, &options.limits, &Layer::ALL.into());
        let config = config(&options.python, &plan);
        let runsc = host.runsc.to_string_lossy();
        let (state, folder) = (format!("{STAGING}/state"), format!("{STAGING}/bundle"));
        let command = |command: &[&str]| {
            // Of the namespaces that it finds itself in: it has no right on the host, nor needs one.
            let options =
                [&runsc, "--root", &state, "--platform", &options.platform, "--network=none", "--rootless"];
            let command = options.iter().chain(&["--ignore-cgroups"]).chain(command);
            command.map(|&word| word.to_owned()).collect()
        };
        let run = command(&["run", "--bundle", &folder, "session"]);
        let commands = [("run", run), ("interrupt", command(&["kill", "session", "INT"]))];
        Self { plan, kernel, shown: PLACES.into(), commands: commands.into(), config }
    }
}

fn config(python: &Path, plan: &Plan) -> Value {
    let environment: Vec<_> =
        plan.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let limit = |(name, value): (&&str, &u64)| json!({ "type": format!("RLIMIT_{name}"), "hard": value, "soft": value });
    let limits: Vec<_> = plan.limits.iter().map(limit).collect();
    let place = |(within, outside): &(&str, &str)| {
        let source = format!("{STAGING}{outside}");
        json!({ "destination": within, "type": "bind", "source": source, "options": ["rbind", "rw", "nosuid", "nodev"] })
    };
    let process = json!({ "destination": "/proc", "type": "proc", "source": "proc" });
    let orders = json!({
        "destination": "/run/session",
        "type": "bind",
        "source": format!("{STAGING}/orders"),
        "options": ["ro", "nosuid", "nodev"],
    });
    let mounts: Vec<_> = [process, orders].into_iter().chain(PLACES.iter().map(place)).collect();
    let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": INSIDE, "gid": INSIDE, "umask": 0o022 },
            "args": [python, "-I", "-c", BOOTSTRAP],
            "env": environment,
            "cwd": "/mnt/data",
            "capabilities": {
                "bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []
            },
            "rlimits": limits,
            "noNewPrivileges": true,
        },
        "root": { "path": format!("{STAGING}/root"), "readonly": true },
        "hostname": "session",
        "mounts": mounts,
        "linux": { "namespaces": namespaces },
    })
}
